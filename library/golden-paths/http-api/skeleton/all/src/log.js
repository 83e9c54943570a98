/** JSON lines on standard output, written together once a turn of the event loop. */
export function createLog(service, write = (text) => process.stdout.write(text)) {
  let lines = "";
  const flush = () => {
    if (lines === "") return;
    const text = lines;
    lines = "";
    write(text);
  };
  const log = (level, message, fields) => {
    if (lines === "") setImmediate(flush);
    lines += `${JSON.stringify({ time: new Date().toISOString(), level, service, message, ...fields })}\n`;
  };
  process.once("exit", flush);
  return {
    info: (message, fields) => log("info", message, fields),
    error: (message, fields) => log("error", message, fields),
  };
}
