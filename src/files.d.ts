declare module "*.zst" {
  /** Path of the embedded file: readable by Bun.file, not by the operating system. */
  const path: string;
  export default path;
}
declare module "*.sql" {
  const text: string;
  export default text;
}
declare module "*.toml" {
  const text: string;
  export default text;
}
declare module "swagger-ui-dist/swagger-ui.css" {
  const text: string;
  export default text;
}
declare module "*.css" {
  const text: string;
  export default text;
}
declare module "*.js" {
  /** The text of a page's script: none of this program's own modules is JavaScript. */
  const text: string;
  export default text;
}
