/** Counting checks, and waiting for a condition with a bound. */

/** Longest wait for a condition, in milliseconds, where the caller names no other. */
const USUAL_LIMIT = 10_000;
const POLL_INTERVAL = 50;

export class Checks {
  passed = 0;
  failed = 0;

  /** Runs one check and prints one line. What `body` returns is printed beside the name. */
  async run(name, body) {
    try {
      const remark = await body();
      this.passed += 1;
      console.log(`ok      ${name}${remark === undefined ? "" : ` (${remark})`}`);
    } catch (error) {
      this.fail(name, error);
    }
  }

  fail(name, error) {
    this.failed += 1;
    // The browser library adds the browser's whole log to some of its errors.
    const [message] = String(error?.message ?? error).split("Browser logs:");
    const reason = message.trimEnd().replaceAll("\n", "\n        ");
    console.log(`FAILED  ${name}\n        ${reason}`);
  }
}

export function ensure(condition, message) {
  if (!condition) throw new Error(message);
}

export function ensureEqual(seen, wanted, what) {
  const [left, right] = [JSON.stringify(seen), JSON.stringify(wanted)];
  ensure(left === right, `${what}: ${left} instead of ${right}`);
}

/**
 * Asks `probe` again and again until it answers something true, and returns that. `describe` says in
 * the error what was there instead.
 */
export async function until(what, probe, { limit = USUAL_LIMIT, describe = () => "" } = {}) {
  const end = performance.now() + limit;
  for (;;) {
    const answer = await probe();
    if (answer) return answer;
    if (performance.now() > end) throw new Error(`not within ${limit / 1000} s: ${what}\n${await describe()}`);
    await new Promise((resume) => setTimeout(resume, POLL_INTERVAL));
  }
}
