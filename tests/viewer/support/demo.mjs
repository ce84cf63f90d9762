/** The program under test: `portcullis demo`, started and ended as a person at a terminal does. */

import { spawn } from "node:child_process";
import { once } from "node:events";

import { until } from "./checks.mjs";

export class Demo {
  output = "";
  /** `{ code, signal }` once it has ended, or `{ error }` if it could not be started. */
  ended = undefined;
  #child;

  /** `scratch` is where the program makes its temporary folders. */
  constructor(program, scratch) {
    // A group of its own, so that everything it started can be ended with it.
    this.#child = spawn(program, ["demo"], {
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, TMPDIR: scratch },
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding("utf8");
      stream.on("data", (text) => (this.output += text));
    }
    this.#child.on("error", (error) => (this.ended = { error: error.message }));
    this.#child.on("exit", (code, signal) => (this.ended = { code, signal }));
  }

  /** Waits until something was printed; fails at once if the program ended without it. */
  async printed(pattern, limit) {
    const probe = () => pattern.exec(this.output) ?? (this.ended && { ended: true });
    const found = await until(`the demo prints ${pattern}`, probe, { limit, describe: () => this.lastLines() });
    if (found.ended) throw new Error(`the demo ended with ${JSON.stringify(this.ended)}\n${this.lastLines()}`);
    return found;
  }

  lastLines() {
    return this.output.split("\n").slice(-15).join("\n");
  }

  /** What Ctrl-C at the terminal does: the signal goes to every process of the group. */
  interrupt() {
    this.#signal("SIGINT");
  }

  /** Whether any process of the group is left. */
  get isAlive() {
    return this.#signal(0);
  }

  async kill() {
    if (this.#signal("SIGKILL") && this.ended === undefined) await once(this.#child, "exit");
  }

  #signal(signal) {
    if (this.#child.pid === undefined) return false;
    try {
      process.kill(-this.#child.pid, signal);
      return true;
    } catch {
      return false;
    }
  }
}
