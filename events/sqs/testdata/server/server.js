// Serves SQS and SNS on a port of this machine, and says when it does.
import { buildApp } from "fauxqs";

const app = buildApp({ logger: false });
await app.listen({ host: "127.0.0.1", port: Number(process.argv[2]) });
console.log("ready");
