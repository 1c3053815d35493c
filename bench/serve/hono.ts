/*
 * The same echo by Hono. hono.ts PORT
 */
import { Hono } from "hono";

const app = new Hono();
app.post("/v1/models/:model/predict", async (c) => c.json(await c.req.json()));
Bun.serve({ hostname: "127.0.0.1", port: Number(process.argv[2]), fetch: app.fetch });
