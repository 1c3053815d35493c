/*
 * Every route there is.
 */
import { adminRoutes } from "./admin.ts";
import { backupRoutes } from "./backup.ts";
import { candleRoutes } from "./candles.ts";
import { doctorRoutes } from "./doctor.ts";
import { healthRoutes } from "./health.ts";
import { importRoutes } from "./imports.ts";
import { modelRoutes } from "./models.ts";
import { pageRoutes } from "./pages.ts";
import { pipelineRoutes } from "./pipelines.ts";
import { predictRoutes } from "./predict.ts";
import type { Route } from "./route.ts";
import { runRoutes } from "./runs.ts";
import { protocolRoutes } from "./v2/routes.ts";
import { versionRoutes } from "./versions.ts";

export const routes: readonly Route[] = [
  ...healthRoutes,
  ...modelRoutes,
  ...versionRoutes,
  ...importRoutes,
  ...predictRoutes,
  ...protocolRoutes,
  ...candleRoutes,
  ...runRoutes,
  ...pipelineRoutes,
  ...adminRoutes,
  ...backupRoutes,
  ...doctorRoutes,
  ...pageRoutes,
];
