// The server of the tests of loading, in one door.
export { type Asked, type Faults, first, from, type Rule, script } from "./server/faults.ts";
export { type Exact, type Logged, type ServerOptions, serve, type TestServer } from "./server/server.ts";
