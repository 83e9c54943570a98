import threading
import unittest
import urllib.request
from http.server import ThreadingHTTPServer

from main import Handler


class Health(unittest.TestCase):
    def test_it_is_alive(self):
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/healthz") as answer:
            self.assertEqual(answer.status, 200)
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    unittest.main()
