import { createLog } from "./log.js";
{% if database %}
import { postgresItems } from "./postgres-items.js";
{% else %}
import { memoryItems } from "./memory-items.js";
{% endif %}
import { createService } from "./service.js";

const log = createLog({{ service_name | quoted }});
{% if database %}
const items = postgresItems({ url: process.env.DATABASE_URL, log });
{% else %}
const items = memoryItems();
{% endif %}
const service = createService({ items, log });
const port = await service.listen(Number(process.env.PORT || 8080), process.env.HOST);
log.info("listening", { port });

for (const signal of ["SIGTERM", "SIGINT"])
  process.once(signal, async () => {
    log.info("stopping", { signal });
    await service.stop();
    log.info("stopped");
  });
