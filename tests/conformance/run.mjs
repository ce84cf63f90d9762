// The protocol's own conformance suite for both eras, and the Inspector, against the real program; and the bundle's
// manifest, by the tool that packs it.
//
// The suite cannot show a bearer token, so a relay on another port adds it; everything else passes as it is. What the
// suite expects of a server made for it, and a real one does not have, stands with its reason in expected-REVISION.yml: a check
// that fails and is not listed fails here, and so does one that is listed and passes.

import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const program = process.env.PORTCULLIS_BIN ?? path.join(here, "../../target/release/portcullis");
const tools = path.join(here, "node_modules/.bin");
// The suite wants a newer Node.js than many systems have; npm's package `node` brings one.
const environment = { ...process.env, PATH: `${tools}${path.delimiter}${process.env.PATH}`, CONFORMANCE_TOKEN: "conformance-0123456789abcdef" };
const folder = mkdtempSync(path.join(tmpdir(), "portcullis-conformance-"));
const configuration = path.join(folder, "portcullis.toml");
writeFileSync(
  configuration,
  `ssh_config = false
state_directory = "state"
[viewer]
enabled = false
[limits]
sessions = 200
[mcp.http.clients.conformance]
env = "CONFORMANCE_TOKEN"
[profiles.here]
kind = "local"
shell = ["bash", "--noprofile", "--norc"]
`,
);

/** Scenarios of the extension for tasks that need no more than a long job. */
const TASKS = ["lifecycle", "capability-negotiation", "wire-fields", "request-state-removal", "request-headers", "dispatch-and-envelope"]
  .map((name) => `tasks-${name}`);

/** Starts the server and gives its address. */
function start() {
  const child = spawn(program, ["serve", "--http", "127.0.0.1:0", "--config", configuration], {
    env: environment,
    stdio: ["ignore", "ignore", "pipe"],
  });
  return new Promise((resolve, reject) => {
    let said = "";
    child.stderr.on("data", (data) => {
      said += data;
      const found = said.match(/MCP: http:\/\/(\S+)\/mcp/);
      if (found) resolve({ child, address: found[1] });
    });
    child.on("exit", () => reject(new Error(`the server ended: ${said}`)));
  });
}

/** Long and short jobs of the suite's own server, as what an agent does for the same here: each in a session of its own. */
const STAND_INS = {
  greet: ({ name }) => `echo 'Hello, ${name}!'`,
  slow_compute: ({ seconds }) => `sleep ${seconds + 2}; echo computed`,
  failing_job: () => "sleep 2; exit",
};

/** The call with a stand-in's command, or as it is. */
async function standIn(address, text) {
  const message = JSON.parse(text);
  const make = message.method === "tools/call" && STAND_INS[message.params?.name];
  if (!make) return text;
  const parameters = { name: "ssh_open", arguments: { profile: "here", new: true } };
  const meta = { "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {} };
  const opened = await fetch(`http://${address}/mcp`, {
    method: "POST",
    headers: {
      "content-type": "application/json", accept: "application/json, text/event-stream", "mcp-protocol-version": "2026-07-28",
      "mcp-method": "tools/call", "mcp-name": "ssh_open", authorization: `Bearer ${environment.CONFORMANCE_TOKEN}`,
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { ...parameters, _meta: meta } }),
  });
  const session = (await opened.text()).match(/"session_id":"([^"]+)"/)?.[1];
  const command = make(message.params.arguments ?? {});
  message.params = { ...message.params, name: "ssh_run", arguments: { command, session_id: session } };
  return JSON.stringify(message);
}

/** A relay that adds the token and, where wanted, puts stand-ins in the place of the suite's own jobs. */
function relay(address, withStandIns) {
  const [host, port] = address.split(":");
  const server = http.createServer(async (request, response) => {
    const { host: asked, ...rest } = request.headers;
    // Names of this machine stay names of this machine; others have to be refused behind.
    const headers = { ...rest, host: asked, authorization: `Bearer ${environment.CONFORMANCE_TOKEN}` };
    let replaced;
    if (withStandIns && request.method === "POST") {
      let body = "";
      for await (const piece of request) body += piece;
      replaced = await standIn(address, body);
      if (headers["mcp-name"] in STAND_INS) headers["mcp-name"] = "ssh_run";
      headers["content-length"] = Buffer.byteLength(replaced);
    }
    const onward = http.request({ host, port, path: request.url, method: request.method, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    response.on("close", () => onward.destroy());
    onward.on("error", () => response.destroy());
    if (replaced === undefined) request.pipe(onward);
    else onward.end(replaced);
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

/** Runs a tool to its end; what it prints is shown when it fails. */
function run(name, args, check = () => undefined) {
  const began = Date.now();
  return new Promise((resolve) => {
    const child = spawn(path.join(tools, name), args, { env: environment, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    let errors = "";
    child.stdout.on("data", (data) => (output += data));
    child.stderr.on("data", (data) => (errors += data));
    child.on("close", (code) => {
      const problem = code !== 0 ? `exit ${code}` : check(output, errors);
      const took = ((Date.now() - began) / 1000).toFixed(1);
      console.log(`${problem ? "FAILED" : "ok    "} ${name} ${args.join(" ")} (${took} s)`);
      if (problem) console.log(`${problem}\n${output.slice(-12000)}\n${errors.slice(-6000)}`);
      resolve(!problem);
    });
  });
}

function conformance(address, requirements) {
  const expected = path.join(here, `expected-${requirements}.yml`);
  const args = ["server", "--url", `http://127.0.0.1:${address}/mcp`, "--requirements", requirements];
  return run("conformance", [...args, "--expected-failures", expected, "-o", path.join(folder, requirements)]);
}

/** The extension for tasks; not part of a revision's requirements. */
function tasks(address, scenario) {
  const expected = path.join(here, "expected-tasks.yml");
  const args = ["server", "--url", `http://127.0.0.1:${address}/mcp`, "--scenario", scenario];
  return run("conformance", [...args, "--expected-failures", expected]);
}

function inspector(args, check) {
  const target = [program, "stdio", "--config", configuration];
  return run("mcp-inspector", ["--cli", "--format", "json", "-q", ...args, "--", ...target], check);
}

/** The lint finds nothing, not even a warning. */
function noFinding(output, errors) {
  return /warning|error/i.test(errors) ? "findings" : JSON.parse(output) && undefined;
}

const { child, address } = await start();
const between = await relay(address, false);
const standingIn = await relay(address, true);
const results = [];
try {
  const { port } = between.address();
  for (const requirements of ["2025-11-25", "2026-07-28"]) results.push(await conformance(port, requirements));
  for (const scenario of TASKS) results.push(await tasks(standingIn.address().port, scenario));
  for (const era of ["legacy", "modern"]) {
    results.push(await inspector(["--method", "tools/list", "--strict", "--protocol-era", era], noFinding));
  }
  results.push(await run("mcpb", ["validate", path.join(here, "../../packaging/manifest.json")]));
  const load = ["--method", "tools/call", "--tool-name", "ssh_status", "--load", "--load-requests", "200"];
  results.push(await inspector([...load, "--load-concurrency", "8"]));
} finally {
  for (const server of [between, standingIn]) {
    server.close();
    server.closeAllConnections();
  }
  child.removeAllListeners("exit");
  child.kill("SIGTERM");
  rmSync(folder, { recursive: true, force: true });
}
const version = spawnSync(path.join(tools, "node"), ["--version"], { encoding: "utf8" }).stdout.trim();
console.log(`with Node.js ${version}`);
process.exitCode = results.every(Boolean) ? 0 : 1;
