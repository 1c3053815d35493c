/*
 * What `sluice doctor` asks of a server that holds the embedded database.
 */
import { doctorAnswer } from "./answers.ts";
import { type GuardedRoute, route } from "./route.ts";

export const doctorRoutes: readonly GuardedRoute[] = [
  route({
    method: "GET",
    path: "/admin/doctor",
    group: "admin",
    worker: true,
    tag: "health",
    summary: "Checks of everything that the server stands on, each with what to do",
    deadlineMs: 120_000,
    gives: doctorAnswer,
    handle: async ({ services }) => ({ items: [...(await services.doctor())], next: null }),
  }),
];
