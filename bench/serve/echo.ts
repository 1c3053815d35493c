/*
 * The limit: Bun.serve that parses JSON and says it again. echo.ts PORT
 */
Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.argv[2]),
  fetch: async (request) => Response.json(await request.json()),
});
