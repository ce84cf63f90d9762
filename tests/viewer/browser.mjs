/**
 * Drives the viewer in a browser as a person would: while a connection or a policy asks, and while `portcullis demo` runs.
 *
 *     node browser.mjs OUTPUT_DIR [questions|approvals|control|record|proxy|tour]
 *
 * Writes screenshots to OUTPUT_DIR, prints one line per check and a sum at the end, and answers with
 * status 1 when a check failed. PORTCULLIS_BIN names the program, CHROMIUM_BIN another browser.
 */

import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";

import { approve } from "./stories/approvals.mjs";
import { refuseStrangers, watchSees } from "./stories/access.mjs";
import { shareTheInput } from "./stories/control.mjs";
import { holdAPhone, leaveByKeyboard } from "./stories/keyboard.mjs";
import { watchTheJob } from "./stories/live_job.mjs";
import { comeByProxy } from "./stories/proxy.mjs";
import { answerQuestions } from "./stories/questions.mjs";
import { findAgain } from "./stories/record.mjs";
import { followTheLevels, lineUp, openFromList, stopFloods, typeIntoIt } from "./stories/typing.mjs";
import { mayAsk } from "./support/asking.mjs";
import { Checks, ensureEqual, until } from "./support/checks.mjs";
import { Demo } from "./support/demo.mjs";
import { TerminalPage } from "./support/terminal.mjs";
import { PageWatch, reportBreaches } from "./support/watch.mjs";

/** Longest run of everything, in milliseconds; then all of it is ended and the run has failed. */
const WHOLE_TIME = 420_000;
/** Longest wait of a single step in the browser, in milliseconds. */
const STEP_TIME = 10_000;
/** Longest wait for the demo to print its link; a first start compiles the plugins. */
const START_TIME = 60_000;
const END_TIME = 10_000;

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const DESKTOP = { viewport: { width: 1280, height: 800 } };
const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };

const here = path.dirname(fileURLToPath(import.meta.url));
const output = process.argv[2];
const program = path.resolve(process.env.PORTCULLIS_BIN ?? path.join(here, "../../target/release/portcullis"));
const browserProgram = process.env.CHROMIUM_BIN ?? "/usr/bin/chromium";

function stop(reason) {
  console.error(reason);
  process.exit(2);
}

if (output === undefined) stop("Where do the screenshots go? node browser.mjs OUTPUT_DIR");
if (!existsSync(program)) stop(`${program} is missing; build it: cargo build --release -p portcullis`);
if (!existsSync(browserProgram)) stop(`${browserProgram} is missing; install it: apt-get install -y chromium`);
mkdirSync(output, { recursive: true });

const checks = new Checks();
const scratch = mkdtempSync(path.join(tmpdir(), "viewer-test-"));
let demo;
let browser;

async function cleanUp() {
  await demo?.kill();
  // The library ends its browser by force when this process exits, should closing not help.
  await Promise.race([browser?.close(), new Promise((resume) => setTimeout(resume, END_TIME).unref())]);
  rmSync(scratch, { recursive: true, force: true });
}

/** Ends everything whatever happens, and says so once. */
async function finish() {
  await cleanUp();
  console.log(`\n${checks.passed} passed, ${checks.failed} failed`);
  process.exit(checks.failed === 0 && checks.passed > 0 ? 0 : 1);
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => {
    checks.fail("the run", new Error(`ended by ${signal}`));
    void finish();
  });
}
setTimeout(() => {
  checks.fail("the run", new Error(`it was not over within ${WHOLE_TIME / 1000} s`));
  void finish();
}, WHOLE_TIME).unref();

async function picture(page, name) {
  await page.screenshot({ path: path.join(output, `${name}.png`) });
}

/** A browser of its own, whose pages are all watched. */
async function person(options, origin, watches) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(STEP_TIME);
  await context.addInitScript(reportBreaches);
  context.on("page", (page) => watches.set(page, new PageWatch(page, origin)));
  return context;
}

async function openSession(context, link) {
  const page = await context.newPage();
  await page.goto(link.href);
  return openFromList(page);
}

async function tour() {
  // The browser starts first, so that the link can be opened while the job is still going on.
  browser = await chromium.launch({ executablePath: browserProgram, args: FLAGS, handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false });
  demo = new Demo(program, scratch);
  const [, href] = await demo.printed(/viewer: (http:\S+#token=\S+)/, START_TIME);
  const { origin } = new URL(href);
  const link = { href, origin, token: /#token=(\S+)/.exec(href)[1] };
  const watches = new Map();
  const watchOf = (page) => watches.get(page);

  const first = await person({ ...DESKTOP, colorScheme: "dark" }, origin, watches);
  const { list } = await watchTheJob({ checks, demo, context: first, link, watchOf, picture });
  const terminal = await openFromList(list);
  const secondPerson = await person({ ...DESKTOP, colorScheme: "light" }, origin, watches);
  const second = await openSession(secondPerson, link);
  await typeIntoIt({ checks, terminal, second, watchOf, picture });
  await lineUp({ checks, terminal, picture });
  await picture(second.page, "5-wide-characters-light");
  await stopFloods({ checks, terminal, second, watchOf });
  await leaveByKeyboard({ checks, name: "on a desktop", terminal });

  const third = await person({ ...PHONE, colorScheme: "dark" }, origin, watches);
  const phone = await openSession(third, link);
  await holdAPhone({ checks, phone, picture });
  await leaveByKeyboard({ checks, name: "on a phone", terminal: phone });
  const phoneList = await third.newPage();
  await phoneList.goto(`${origin}/`);
  await phoneList.locator(".card").first().waitFor();
  await picture(phoneList, "6-phone-list");
  await second.page.goto(`${origin}/`);
  await second.page.locator(".card").first().waitFor();
  await picture(second.page, "3-list-light");

  await followTheLevels({ checks, terminal });

  await checks.run("no page had an error or a breach of its policy, or asked anybody else", () => {
    const all = [...watches.values()];
    ensureEqual(all.flatMap((it) => it.problems), [], "problems");
    ensureEqual(all.flatMap((it) => it.strangers), [], "requests to others");
    return `${all.length} pages`;
  });

  // From here on breaches and refusals are what is asked for.
  const watch = (page) => new PageWatch(page, origin);
  await watchSees({ checks, context: first, link, watch });
  await refuseStrangers({ checks, browser, context: first, link, watch, picture });
  await endTheDemo(terminal);
}

/** One story with a host and a viewer of its own, in a fresh browser. */
async function alone(name, story) {
  browser = await chromium.launch({ executablePath: browserProgram, args: FLAGS, handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false });
  const folder = mkdtempSync(path.join(tmpdir(), `viewer-${name}-`));
  const watches = new Map();
  try {
    await story({
      checks,
      program,
      scratch: folder,
      person: (origin, options) => person({ ...DESKTOP, ...options }, origin, watches),
      watchOf: (page) => watches.get(page),
      picture,
    });
  } finally {
    await browser.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What a connection asks a person. */
async function questions() {
  if (!mayAsk) {
    console.log("not run: questions of PAM, which only root can set up");
    return;
  }
  await alone("asking", (stage) => answerQuestions({ ...stage, person: (origin) => stage.person(origin, { colorScheme: "dark" }) }));
}

/** A policy asks, and a person decides. */
const approvals = () => alone("approvals", approve);
/** A person and an agent share the input; others have links of their own. */
const control = () => alone("control", shareTheInput);
/** The record is searched, what is asked and lost is seen. */
const record = () => alone("record", findAgain);
const proxy = () => alone("proxy", comeByProxy);

async function endTheDemo(terminal) {
  await checks.run("Ctrl-C ends the demo with status 0 and nothing stays behind; the page says that it is over", async () => {
    demo.interrupt();
    await until("the demo ends", () => demo.ended, { limit: END_TIME, describe: () => demo.lastLines() });
    ensureEqual(demo.ended, { code: 0, signal: null }, "end of the demo");
    await until("no process is left", () => !demo.isAlive);
    ensureEqual(readdirSync(scratch), [], "temporary files left");
    // Which of the two is seen first depends on whether the session or the server ends first.
    const words = ["Connection lost, trying again", "Session closed"];
    await until("the page says so", async () => words.includes(await terminal.status.textContent()), { describe: () => terminal.status.textContent() });
    await picture(terminal.page, "8-connection-lost");
  });
}

const parts = { questions, approvals, control, record, proxy, tour };
// One of them alone, while something is being worked on.
const wanted = process.argv[3];
for (const [name, part] of Object.entries(parts)) {
  if (wanted !== undefined && wanted !== name) continue;
  try {
    await part();
  } catch (error) {
    checks.fail(name, error);
    if (name === "tour" && demo !== undefined) console.log(demo.lastLines());
  }
}
await finish();
