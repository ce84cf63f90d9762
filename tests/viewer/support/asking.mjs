/**
 * A host that asks: a real sshd whose questions come from PAM, and `portcullis stdio` with a client that
 * opens sessions on it. Only root can set PAM up.
 */

import { execFileSync, spawn } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";

import { until } from "./checks.mjs";

export const PASSWORD = "chromium-s3cret";
export const mayAsk = process.getuid() === 0;

const START_TIME = 60_000;

async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await new Promise((resume) => server.once("listening", resume));
  const { port } = server.address();
  await new Promise((resume) => server.close(resume));
  return port;
}

/** sshd on loopback: a password after `greeting`, then a second hidden question that takes any answer. */
export class AskingServer {
  log = "";

  static async start(folder, greeting) {
    const server = new AskingServer();
    mkdirSync(folder, { recursive: true });
    mkdirSync("/run/sshd", { recursive: true });
    const file = (name) => path.join(folder, name);
    server.hostKey = file("host_key");
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", server.hostKey]);
    writeFileSync(file("greeting"), greeting);
    // PAM gives its programs no PATH, so only what the shell itself can do.
    writeFileSync(file("check"), `#!/bin/sh\nread -r answer\n[ "$answer" = '${PASSWORD}' ]\n`);
    chmodSync(file("check"), 0o700);
    // sshd asks PAM under the name it was started by, in lower case.
    const name = `portcullis-browser-${process.pid}`;
    symlinkSync("/usr/sbin/sshd", file(name));
    server.service = path.join("/etc/pam.d", name);
    const rules = [
      `auth optional pam_echo.so file=${file("greeting")}`,
      `auth requisite pam_exec.so expose_authtok quiet ${file("check")}`,
      "auth requisite pam_stress.so",
      "account required pam_permit.so",
      "session required pam_permit.so",
    ];
    writeFileSync(server.service, rules.join("\n") + "\n");
    server.port = await freePort();
    const settings = [
      "ListenAddress 127.0.0.1", `Port ${server.port}`, "PidFile none", "StrictModes no", "UsePAM yes",
      "PasswordAuthentication no", "PubkeyAuthentication no", "KbdInteractiveAuthentication yes", "PermitRootLogin yes",
      "PrintMotd no", "PrintLastLog no", `HostKey ${server.hostKey}`,
    ];
    // The user's start-up files may be slow, or wait for what a shell that was killed has left behind.
    mkdirSync(file("home"), { recursive: true });
    settings.push(`SetEnv HOME=${file("home")}`);
    writeFileSync(file("sshd_config"), settings.join("\n") + "\n");
    server.child = spawn(file(name), ["-D", "-e", "-f", file("sshd_config")], { stdio: ["ignore", "ignore", "pipe"] });
    server.child.stderr.setEncoding("utf8").on("data", (text) => (server.log += text));
    await until("sshd listens", () => server.log.includes("Server listening on"), { describe: () => server.log });
    return server;
  }

  /** As `ssh-keygen -l` shows it. */
  get fingerprint() {
    return execFileSync("ssh-keygen", ["-lf", `${this.hostKey}.pub`], { encoding: "utf8" }).split(" ")[1];
  }

  stop() {
    this.child?.kill();
    rmSync(this.service, { force: true });
  }
}

/** The profile that leads to the server on that port. */
export function vault(port) {
  return [
    "[profiles.vault]", 'label = "The vault"', 'host = "127.0.0.1"', `port = ${port}`, 'user = "root"', "auth = [{ ask = true }]",
    'known_hosts = ["known_hosts"]',
  ];
}

/** The profile of a plain shell on this machine. */
export const SHOP = ["[profiles.here]", 'label = "The shop"', 'kind = "local"', 'shell = ["bash", "--noprofile", "--norc"]'];

/** `portcullis stdio` with a configuration of its own, and the agent that uses it. */
export class Agent {
  #child;
  #answers = new Map();
  #next = 0;
  #rest = "";

  /** `profiles` are further lines of the configuration. */
  constructor(program, folder, profiles) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
    const lines = ["ssh_config = false", 'state_directory = "state"', "[viewer]", "port = 18865", ...profiles];
    const file = path.join(folder, "portcullis.toml");
    writeFileSync(file, lines.join("\n") + "\n");
    // A file that may not grow stands for a full disk; the signal that comes with it does not.
    const start = `trap '' XFSZ; exec "$0" stdio --config "$1"`;
    this.#child = spawn("sh", ["-c", start, program, file], { stdio: ["pipe", "pipe", "ignore"], env: { ...process.env, TMPDIR: folder } });
    this.#child.stdout.setEncoding("utf8").on("data", (text) => this.#read(text));
  }

  async start() {
    const clientInfo = { name: "browser", version: "1" };
    await this.#request("initialize", { protocolVersion: "2025-06-18", capabilities: {}, clientInfo });
    this.#send({ jsonrpc: "2.0", method: "notifications/initialized" });
  }

  /** Calls a tool; the structured result. */
  async call(name, parameters) {
    const answer = await this.#request("tools/call", { name, arguments: parameters });
    return answer.result.structuredContent;
  }

  /** The link to the viewer, with its token. */
  async link() {
    const instances = path.join(this.folder, "state/instances");
    const find = () => {
      try {
        const [instance] = readdirSync(instances);
        return JSON.parse(readFileSync(path.join(instances, instance, "server.json"), "utf8")).viewer_url;
      } catch {
        return undefined;
      }
    };
    return until("the viewer's link", find, { limit: START_TIME });
  }

  /** The links of each role. */
  links() {
    const instances = path.join(this.folder, "state/instances");
    const [instance] = readdirSync(instances);
    return JSON.parse(readFileSync(path.join(instances, instance, "server.json"), "utf8")).viewer_links;
  }

  /** Lets no file of the host's grow beyond this many bytes; `unlimited` ends that. */
  limitFiles(bytes) {
    execFileSync("prlimit", ["--pid", String(this.#child.pid), `--fsize=${bytes}:unlimited`]);
  }

  stop() {
    this.#child.stdin.end();
    this.#child.kill();
  }

  #send(message) {
    this.#child.stdin.write(JSON.stringify(message) + "\n");
  }

  #request(method, params) {
    const id = ++this.#next;
    this.#send({ jsonrpc: "2.0", id, method, params });
    return new Promise((resolve) => this.#answers.set(id, resolve));
  }

  #read(text) {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop();
    for (const line of lines.filter((it) => it !== "")) {
      const message = JSON.parse(line);
      this.#answers.get(message.id)?.(message);
    }
  }
}
