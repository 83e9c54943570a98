import { service } from "./service.js";

service.listen(Number(process.env.{{ service_name | env_var }}_PORT || 8080));
