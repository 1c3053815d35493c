CREATE TABLE "files" (
	"path" text PRIMARY KEY NOT NULL,
	"digest" text NOT NULL,
	"size" bigint NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "logged_model_metrics" (
	"model_id" text NOT NULL,
	"run_id" text NOT NULL,
	"key" text NOT NULL,
	"value" double precision NOT NULL,
	"is_nan" boolean DEFAULT false NOT NULL,
	"timestamp" bigint NOT NULL,
	"step" bigint DEFAULT 0 NOT NULL,
	"dataset_name" text DEFAULT '' NOT NULL,
	"dataset_digest" text DEFAULT '' NOT NULL,
	CONSTRAINT "logged_model_metrics_pk" PRIMARY KEY("model_id","run_id","key","dataset_name","dataset_digest")
);
--> statement-breakpoint
CREATE TABLE "logged_model_params" (
	"model_id" text NOT NULL,
	"key" text NOT NULL,
	"value" text NOT NULL,
	CONSTRAINT "logged_model_params_model_id_key_pk" PRIMARY KEY("model_id","key")
);
--> statement-breakpoint
CREATE TABLE "logged_model_tags" (
	"model_id" text NOT NULL,
	"key" text NOT NULL,
	"value" text NOT NULL,
	CONSTRAINT "logged_model_tags_model_id_key_pk" PRIMARY KEY("model_id","key")
);
--> statement-breakpoint
CREATE TABLE "logged_models" (
	"model_id" text PRIMARY KEY NOT NULL,
	"experiment_id" bigint NOT NULL,
	"name" text NOT NULL,
	"model_type" text,
	"source_run_id" text,
	"artifact_uri" text NOT NULL,
	"status" text NOT NULL,
	"status_message" text,
	"lifecycle_stage" text DEFAULT 'active' NOT NULL,
	"creation_time" bigint NOT NULL,
	"last_updated_time" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "run_models" (
	"run_id" text NOT NULL,
	"model_id" text NOT NULL,
	"direction" text NOT NULL,
	"step" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "run_models_run_id_direction_model_id_pk" PRIMARY KEY("run_id","direction","model_id")
);
--> statement-breakpoint
CREATE TABLE "uploads" (
	"upload_id" text PRIMARY KEY NOT NULL,
	"path" text NOT NULL,
	"key" text NOT NULL,
	"parts" integer NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
ALTER TABLE "model_versions" DROP CONSTRAINT "model_versions_run_id_runs_run_id_fk";
--> statement-breakpoint
ALTER TABLE "latest_metrics" DROP CONSTRAINT "latest_metrics_run_id_runs_run_id_fk";
--> statement-breakpoint
ALTER TABLE "metrics" DROP CONSTRAINT "metrics_run_id_runs_run_id_fk";
--> statement-breakpoint
DROP INDEX "model_versions_pipeline_run";--> statement-breakpoint
DROP INDEX "latest_metrics_key";--> statement-breakpoint
DROP INDEX "pipeline_runs_newest";--> statement-breakpoint
DROP INDEX "forecasts_newest";--> statement-breakpoint
DROP INDEX "table_imports_newest";--> statement-breakpoint
DROP INDEX "runs_of_experiment";--> statement-breakpoint
ALTER TABLE "model_versions" ADD COLUMN "storage_location" text;--> statement-breakpoint
ALTER TABLE "model_versions" ADD COLUMN "model_id" text;--> statement-breakpoint
ALTER TABLE "model_versions" ADD COLUMN "trained" boolean DEFAULT false NOT NULL;--> statement-breakpoint
UPDATE "model_versions" SET "trained" = true WHERE "digest" IS NOT NULL AND "run_id" IS NOT NULL;--> statement-breakpoint
ALTER TABLE "logged_model_metrics" ADD CONSTRAINT "logged_model_metrics_model_id_logged_models_model_id_fk" FOREIGN KEY ("model_id") REFERENCES "public"."logged_models"("model_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "logged_model_params" ADD CONSTRAINT "logged_model_params_model_id_logged_models_model_id_fk" FOREIGN KEY ("model_id") REFERENCES "public"."logged_models"("model_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "logged_model_tags" ADD CONSTRAINT "logged_model_tags_model_id_logged_models_model_id_fk" FOREIGN KEY ("model_id") REFERENCES "public"."logged_models"("model_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "logged_models" ADD CONSTRAINT "logged_models_experiment_id_experiments_experiment_id_fk" FOREIGN KEY ("experiment_id") REFERENCES "public"."experiments"("experiment_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "run_models" ADD CONSTRAINT "run_models_run_id_runs_run_id_fk" FOREIGN KEY ("run_id") REFERENCES "public"."runs"("run_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "files_digest" ON "files" USING btree ("digest");--> statement-breakpoint
CREATE INDEX "files_below" ON "files" USING btree ("path" text_pattern_ops);--> statement-breakpoint
CREATE INDEX "logged_model_metrics_key" ON "logged_model_metrics" USING btree ("key","value");--> statement-breakpoint
CREATE INDEX "logged_models_of_experiment" ON "logged_models" USING btree ("experiment_id","creation_time" DESC NULLS FIRST,"model_id");--> statement-breakpoint
CREATE INDEX "logged_models_of_run" ON "logged_models" USING btree ("source_run_id");--> statement-breakpoint
CREATE INDEX "forecasts_of_slot" ON "forecasts" USING btree ("market","target_start");--> statement-breakpoint
CREATE INDEX "holes_unknown" ON "holes" USING btree ("market","unit","start") WHERE state = 'unknown';--> statement-breakpoint
CREATE INDEX "holes_filled" ON "holes" USING btree ("market","settled_at") WHERE state = 'filled';--> statement-breakpoint
CREATE UNIQUE INDEX "model_versions_trained" ON "model_versions" USING btree ("name","run_id") WHERE trained;--> statement-breakpoint
CREATE INDEX "inputs_of_dataset" ON "inputs" USING btree ("dataset_id");--> statement-breakpoint
CREATE INDEX "inputs_context" ON "inputs" USING btree (left("tags" ->> 'mlflow.data.context', 128) text_pattern_ops);--> statement-breakpoint
CREATE INDEX "latest_metrics_value" ON "latest_metrics" USING btree ("key","value") WHERE not is_nan;--> statement-breakpoint
CREATE INDEX "latest_metrics_nan" ON "latest_metrics" USING btree ("key") WHERE is_nan;--> statement-breakpoint
CREATE INDEX "params_head" ON "params" USING btree ("key",left("value", 128) text_pattern_ops);--> statement-breakpoint
CREATE INDEX "runs_by_start" ON "runs" USING btree ("start_time" DESC NULLS FIRST,"run_id");--> statement-breakpoint
CREATE INDEX "tags_head" ON "tags" USING btree ("key",left("value", 128) text_pattern_ops);--> statement-breakpoint
CREATE INDEX "pipeline_runs_newest" ON "pipeline_runs" USING btree ("pipeline","slot" DESC NULLS FIRST,"id" DESC NULLS FIRST);--> statement-breakpoint
CREATE INDEX "forecasts_newest" ON "forecasts" USING btree ("model","target_start" DESC NULLS FIRST,"made_at" DESC NULLS FIRST);--> statement-breakpoint
CREATE INDEX "table_imports_newest" ON "table_imports" USING btree ("model","id" DESC NULLS FIRST);--> statement-breakpoint
CREATE INDEX "runs_of_experiment" ON "runs" USING btree ("experiment_id","start_time" DESC NULLS FIRST,"run_id");