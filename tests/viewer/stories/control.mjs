/** Who may type, the commands beside the terminal, links for others, coming back, and sessions of before. */

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

import { Agent, SHOP } from "../support/asking.mjs";
import { breaches } from "../support/axe.mjs";
import { ensure, ensureEqual, until } from "../support/checks.mjs";
import { TerminalPage } from "../support/terminal.mjs";

/** Megabytes of the flood. */
const BURST_MB = Number(process.env.PORTCULLIS_BURST_MB ?? 4);
const BURST_LIMIT = 120_000;
const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };

const CAST = ['{"version":3,"term":{"cols":40,"rows":8},"title":"A cast of one\'s own"}', '[0.1,"o","played-from-a-file\\r\\n"]', '[0.1,"m","a mark"]', '[90,"o","the-end\\r\\n"]'].join("\n");

export async function shareTheInput({ checks, program, scratch, person, watchOf, picture }) {
  const agent = new Agent(program, path.join(scratch, "host"), SHOP);
  try {
    await agent.start();
    const href = await agent.link();
    const { origin } = new URL(href);
    const context = await person(origin, { colorScheme: "dark" });
    const list = await context.newPage();
    await list.goto(href);
    await list.getByRole("heading", { name: "Sessions", exact: true }).waitFor();
    const opened = await agent.call("ssh_open", { profile: "here" });
    const id = opened.session.session_id;
    const address = `${origin}/s/${id}`;
    const page = await context.newPage();
    const sockets = await cuttable(page);
    await page.goto(address);
    const terminal = new TerminalPage(page);
    await terminal.shows(/[$#]$/);
    const stage = { checks, agent, context, list, page, terminal, picture, address, origin, id, scratch, person, sockets, record: () => record(agent, id) };
    await followCommands(stage);
    await holdTheAgentOff(stage);
    await takeAndHandOver(stage);
    await loosenThePolicy(stage);
    await otherLinks(stage);
    await comeBack(stage);
    await burst(stage);
    await listAndPhone(stage);
    await closeAndReplay(stage);
    await checks.run("the pages with controls had no error and asked nobody else", () => {
      const watches = context.pages().map(watchOf);
      // The browser itself writes down that the agent held the input, which was asked for.
      const held = /status of 409/;
      ensureEqual(watches.flatMap((it) => [...it.problems.filter((problem) => !held.test(problem)), ...it.strangers]), [], "problems");
      return `${watches.length} pages`;
    });
    await context.close();
  } finally {
    agent.stop();
  }
}

/** Lets the test cut the page's terminal socket as a network does. */
async function cuttable(page) {
  const open = [];
  await page.routeWebSocket(/\/terminal/, (socket) => {
    socket.connectToServer();
    open.push(socket);
  });
  return open;
}

function record(agent, id) {
  const instances = path.join(agent.folder, "state/instances");
  const [instance] = readdirSync(instances);
  const text = readFileSync(path.join(instances, instance, "transcripts", `${id}.jsonl`), "utf8");
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}

const entries = (page) => page.locator(".timeline .entry");
const holder = (page) => page.locator(".control .holder");
/** Types a line as a person who reads what they type: Enter comes when all of it stands there. */
const type = async (page, text) => {
  const line = text.trimEnd();
  await page.locator(".xterm-screen").click();
  await page.keyboard.type(line);
  if (line === text) return;
  const terminal = new TerminalPage(page);
  await terminal.until(`the line ${line}`, (rows) => rows.some((row) => row.endsWith(`# ${line}`) || row.endsWith(`$ ${line}`)));
  await page.keyboard.press("Enter");
};
/** What is typed where it does not arrive. */
const typeInVain = async (page, text) => {
  await page.locator(".xterm-screen").click();
  await page.keyboard.type(text);
};

async function followCommands({ checks, agent, page, terminal, picture, id }) {
  await checks.run("each command stands beside the terminal with who ran it, its exit code and its verdict", async () => {
    await agent.call("ssh_run", { command: "echo agent-was-here; (exit 3)", session_id: id });
    await type(page, "echo person-was-here\n");
    await terminal.shows(/^person-was-here$/);
    await agent.call("ssh_run", { command: "rm -rf /", session_id: id });
    const rows = async () => entries(page).evaluateAll((all) => all.map((it) => [it.dataset.actor, it.dataset.mood, it.querySelector(".entry-line").textContent, it.querySelector(".outcome").textContent]));
    await until("three entries", async () => (await rows()).length === 3 && (await rows())[1][1] === "good");
    const [first, second, third] = await rows();
    ensureEqual(first, ["agent", "bad", "echo agent-was-here; (exit 3)", "exit 3"], "the agent's");
    ensureEqual(second, ["human", "good", "echo person-was-here", "exit 0"], "the person's");
    ensureEqual(third.slice(0, 3), ["agent", "refused", "rm -rf /"], "the refused one");
    ensure(third[3].startsWith("refused by "), third[3]);
  });
  const jump = async () => {
    await entries(page).first().click();
    await terminal.shows(/^agent-was-here$/);
  };
  await checks.run("a click leads to the command's output far up, also after the page was loaded anew, and by the keyboard", async () => {
    await type(page, "seq 400\n");
    await terminal.shows(/^400$/);
    ensure(!(await terminal.rows()).includes("agent-was-here"), "it is still in view");
    await jump();
    await picture(page, "20-timeline-jump");
    await page.reload();
    await terminal.shows(/^400$/);
    await until("the entries", async () => (await entries(page).count()) === 4);
    await entries(page).nth(3).focus();
    for (const _ of [1, 2, 3]) await page.keyboard.press("ArrowUp");
    await page.keyboard.press("Enter");
    await terminal.shows(/^agent-was-here$/);
    await page.getByRole("button", { name: "Go to the newest output" }).click();
    await terminal.shows(/^400$/);
  });
  await checks.run("a search finds what was printed far up, and says when there is nothing", async () => {
    await page.locator(".xterm-helper-textarea").focus();
    await page.keyboard.press("Control+Shift+KeyF");
    await page.keyboard.type("agent-was-here");
    await page.keyboard.press("Enter");
    await terminal.shows(/^agent-was-here$/);
    await picture(page, "21-search");
    await page.getByRole("searchbox", { name: "Search in the output" }).fill("no such words");
    await page.keyboard.press("Enter");
    await until("it says so", async () => (await page.locator(".search .aside").textContent()) === "Not found");
    await page.keyboard.press("Escape");
    ensure(await page.evaluate(() => document.activeElement.classList.contains("xterm-helper-textarea")), "the keyboard is not back");
    await page.getByRole("button", { name: "Go to the newest output" }).click();
  });
}

async function holdTheAgentOff({ checks, agent, page, terminal, id, list, picture }) {
  await checks.run("what a person has begun holds the agent off, and the agent hears it", async () => {
    await type(page, "echo half-a-line");
    await until("the page says so", async () => (await holder(page).textContent()) === "Input: a person is typing");
    await until("the list says so", async () => (await list.locator(".card .holder").textContent()) === "Input: a person is typing");
    const held = await agent.call("ssh_run", { command: "echo no", session_id: id, wait_s: 0 });
    ensureEqual([held.result_status, held.failure_category], ["blocked", "input-locked"], "what the agent was told");
    ensure(held.summary.includes("`echo half-a-line`"), held.summary);
    // With time to wait it is held back, the person sees that, and it runs when they have done.
    const waiting = agent.call("ssh_run", { command: "echo the-agents-turn", session_id: id, wait_s: 30 });
    const words = "Input: a person is typing, the agent waits";
    await until("the page says that the agent waits", async () => (await holder(page).textContent()) === words, { describe: () => holder(page).textContent() });
    await picture(page, "29-the-agent-waits");
    await page.keyboard.press("Enter");
    const ran = await waiting;
    ensureEqual(ran.text, "the-agents-turn\n", "what the agent ran then");
    ensure(ran.notes.some((note) => note.includes("held back") && note.includes("`echo half-a-line`")), JSON.stringify(ran.notes));
    await terminal.shows(/^half-a-line$/);
    await until("the input is free", async () => (await holder(page).textContent()) === "Input: free");
    ensureEqual((await agent.call("ssh_run", { command: "echo yes", session_id: id })).text, "yes\n", "afterwards");
  });
}

async function takeAndHandOver({ checks, agent, page, terminal, id, picture, record }) {
  const lock = (action) => agent.call("ssh_lock", { action, session_id: id });
  const run = (command) => agent.call("ssh_run", { command, session_id: id, wait_s: 1 });
  const note = page.locator(".note");
  await checks.run("the agent holds the input: a person's keys are not sent, but Control C is", async () => {
    ensureEqual((await lock("take")).result_status, "success", "taking");
    await until("the page says so", async () => (await holder(page).textContent()) === "Input: held by the agent");
    await agent.call("ssh_run", { command: "sleep 60", session_id: id, wait_s: 0 });
    await type(page, "x");
    await until("the page says why", async () => (await note.textContent()).includes("the agent has taken the input"), { describe: () => note.textContent() });
    await picture(page, "22-held-by-the-agent");
    await page.keyboard.press("Control+C");
    await terminal.shows(/\^C$/);
  });
  await checks.run("a person takes it by force after a question, and the agent cannot take it back", async () => {
    const asked = [];
    page.once("dialog", (dialog) => {
      asked.push(dialog.message());
      void dialog.accept();
    });
    await page.getByRole("button", { name: /^Take the input/ }).click();
    await until("the page says so", async () => (await holder(page).textContent()) === "Input: taken by a person");
    ensure(asked.length === 1 && asked[0].includes("by force"), JSON.stringify(asked));
    for (const action of ["take", "hand_over"]) ensureEqual((await lock(action)).failure_category, "input-locked", action);
    ensureEqual((await lock("release")).session.input.holder.who, "human", "after the agent's release");
    const held = await run("echo no");
    ensure(held.failure_category === "input-locked" && held.summary.includes("a person has taken the input"), held.summary);
    await type(page, "echo mine-now\n");
    await terminal.shows(/^mine-now$/);
    const told = (await run("echo no")).summary;
    ensure(told.includes("`echo mine-now`"), `the agent does not hear what the person did: ${told}`);
  });
  await checks.run("handed over, the agent goes on; it is all on record", async () => {
    await page.getByRole("button", { name: /^Hand the input over/ }).click();
    await until("the input is free", async () => (await holder(page).textContent()) === "Input: free");
    ensureEqual((await run("echo mine-again")).text, "mine-again\n", "the agent's");
    const changes = record().filter((it) => it.kind === "control").map((it) => `${it.actor} ${it.change}`);
    ensureEqual(changes, ["agent taken", "human taken_by_force", "human handed_over"], "record");
  });
  await checks.run("set to persons only the agent waits, set to the agent only persons do", async () => {
    const mode = page.getByRole("combobox", { name: "Who may type" });
    await mode.selectOption("human");
    await until("persons only", async () => (await holder(page).textContent()) === "Input: persons only");
    ensure((await run("echo no")).summary.includes("persons only"), "the agent is not told");
    await mode.selectOption("agent");
    await until("agent only", async () => (await holder(page).textContent()) === "Input: agent only");
    await typeInVain(page, "echo typed-in-vain\n");
    await until("the page says why", async () => (await note.textContent()).includes("the agent only"), { describe: () => note.textContent() });
    ensureEqual((await run("echo alone")).text, "alone\n", "the agent's");
    ensure(!(await terminal.rows()).join("\n").includes("typed-in-vain"), "a person's keys arrived");
    await mode.selectOption("auto");
    await until("the input is free", async () => (await holder(page).textContent()) === "Input: free");
  });
  await checks.run("only watching is a choice: nothing is sent until it is taken back", async () => {
    const watch = page.getByRole("checkbox", { name: "Only watch" });
    await watch.check();
    await typeInVain(page, "echo unsent\n");
    await until("the page says so", async () => (await note.textContent()).includes("only watch"), { describe: () => note.textContent() });
    await watch.uncheck();
    await type(page, "echo sent\n");
    await terminal.shows(/^sent$/);
    ensure(!(await terminal.rows()).some((row) => row.includes("unsent")), "it was sent");
  });
  await checks.run("the stop button interrupts what the agent runs", async () => {
    await agent.call("ssh_run", { command: "sleep 61", session_id: id, wait_s: 0 });
    await page.getByRole("button", { name: "Stop what runs: Control C" }).click();
    await until("its end", async () => (await entries(page).last().locator(".outcome").textContent()) === "exit 130", { describe: () => entries(page).last().textContent() });
  });
}

async function loosenThePolicy({ checks, agent, page, id, record }) {
  await checks.run("a person sets the policy to full and back, after a question and on record", async () => {
    const policy = page.locator(".control > button[data-mode]");
    page.once("dialog", (dialog) => void dialog.dismiss());
    await policy.click();
    ensureEqual(await policy.textContent(), "Policy: safe", "after a no");
    page.once("dialog", (dialog) => void dialog.accept());
    await policy.click();
    await until("full", async () => (await policy.textContent()) === "Policy: full");
    const told = await agent.call("ssh_read", { session_id: id });
    ensureEqual(told.session.policy_mode, "full", "what the agent is told");
    await policy.click();
    await until("safe", async () => (await policy.textContent()) === "Policy: safe");
    const changes = record().filter((it) => it.kind === "policy_mode").map((it) => `${it.actor} ${it.was} ${it.mode}`);
    ensureEqual(changes, ["human safe full", "human full safe"], "record");
  });
}

async function otherLinks({ checks, agent, person, origin, address, terminal, picture }) {
  const links = agent.links();
  const open = async (role) => {
    const context = await person(origin, { colorScheme: "light" });
    const page = await context.newPage();
    await page.goto(links[role]);
    await page.getByRole("heading", { name: "Sessions", exact: true }).waitFor();
    await page.goto(address);
    const other = new TerminalPage(page);
    await other.shows(/[$#]$/);
    return { context, page, other };
  };
  const control = (page, body) =>
    page.evaluate(async (body) => (await fetch(`/api/v1/sessions/${location.pathname.split("/").pop()}/control`, { method: "POST", headers: { "content-type": "application/json" }, body })).status, JSON.stringify(body));
  for (const role of ["observer", "approver"]) {
    await checks.run(`the ${role}'s link watches: it types nothing, and has no control that it may not use`, async () => {
      const { context, page, other } = await open(role);
      ensureEqual(await page.locator(".role-badge").textContent(), role, "badge");
      await typeInVain(page, "echo not-mine\n");
      await until("the page says so", async () => (await other.note.textContent()).includes("for watching"), { describe: () => other.note.textContent() });
      ensureEqual(await page.locator(".control select, .control input").count(), 0, "controls");
      for (const body of [{ type: "take", force: true }, { type: "interrupt" }, { type: "close" }, { type: "mode", mode: "human" }]) ensureEqual(await control(page, body), 403, body.type);
      ensureEqual(await control(page, { type: "policy_mode", mode: "safe" }), role === "approver" ? 204 : 403, "policy");
      ensureEqual(await page.evaluate(async () => (await fetch("/api/v1/approvals/a-1", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ type: "deny", digest: "", reason: "" }) })).status), role === "approver" ? 410 : 403, "approvals");
      if (role === "observer") await picture(page, "23-observer-light");
      await context.close();
      ensure(!(await terminal.rows()).some((row) => row.includes("not-mine")), "it was typed");
    });
  }
  await checks.run("the driver's link types and takes over, and decides nothing", async () => {
    const { context, page, other } = await open("driver");
    await type(page, "echo from-the-driver\n");
    for (const it of [other, terminal]) await it.shows(/^from-the-driver$/);
    ensureEqual(await control(page, { type: "take", force: false }), 204, "take");
    ensureEqual(await control(page, { type: "hand_over" }), 204, "hand over");
    ensureEqual(await control(page, { type: "policy_mode", mode: "full" }), 403, "policy");
    await context.close();
  });
}

async function comeBack({ checks, page, terminal, sockets, agent, id }) {
  await checks.run("a lost connection comes back at the right byte: nothing twice, nothing missed, the marks stay", async () => {
    await type(page, "echo before-the-$((1+1))cut\n");
    await terminal.shows(/^before-the-2cut$/);
    const asked = sockets.length;
    await sockets.at(-1).close({ code: 1012 });
    await until("it is noticed", async () => (await terminal.status.textContent()) !== "Live");
    await agent.call("ssh_run", { command: "echo during-the-$((2+2))cut", session_id: id });
    await until("it is back", () => sockets.length > asked, { limit: 15_000 });
    await terminal.shows(/^during-the-4cut$/);
    ensure(/[?&]from=\d+&instance=/.test(sockets.at(-1).url()), `asked for ${sockets.at(-1).url()}`);
    const rows = await terminal.rows();
    for (const line of ["before-the-2cut", "during-the-4cut"]) ensureEqual(rows.filter((it) => it === line).length, 1, line);
    await entries(page).first().click();
    await terminal.shows(/^agent-was-here$/);
    await page.getByRole("button", { name: "Go to the newest output" }).click();
  });
}

async function burst({ checks, page, terminal }) {
  await checks.run(`${BURST_MB} MB at once do not freeze the page; it answers meanwhile and afterwards`, async () => {
    await page.evaluate(() => {
      window.longestPause = 0;
      let last = performance.now();
      window.pauses = setInterval(() => {
        const now = performance.now();
        window.longestPause = Math.max(window.longestPause, now - last);
        last = now;
      }, 10);
    });
    const started = performance.now();
    await typeInVain(page, `head -c ${BURST_MB}000000 /dev/zero | tr '\\0' x | fold -w 79; echo; echo burst-$((40+2))\n`);
    await terminal.shows(/^x{79}$/, BURST_LIMIT);
    await terminal.shows(/^burst-42$/, BURST_LIMIT);
    const took = performance.now() - started;
    await type(page, "echo typed-after\n");
    const pressed = performance.now();
    await terminal.shows(/^typed-after$/);
    const echo = performance.now() - pressed;
    const pause = await page.evaluate(() => {
      clearInterval(window.pauses);
      return window.longestPause;
    });
    return `${Math.round(took)} ms, longest pause of the page ${Math.round(pause)} ms, a line afterwards ${Math.round(echo)} ms`;
  });
}

async function listAndPhone({ checks, list, page, person, origin, address, agent, picture, terminal }) {
  await checks.run("list and session have no breach of WCAG 2.1 AA that axe finds", async () => {
    for (const it of [list, page]) ensureEqual(await breaches(it), [], it.url());
    await page.getByRole("button", { name: "Theme: light, dark, or as the system has it" }).click();
    ensureEqual(await page.evaluate(() => document.documentElement.dataset.theme), "light", "theme");
    ensureEqual(await breaches(page), [], "the light session");
    await picture(page, "24-session-light");
    for (const _ of [1, 2]) await page.getByRole("button", { name: "Theme: light, dark, or as the system has it" }).click();
  });
  await checks.run("on a phone the commands come over the terminal on a tap, and fit", async () => {
    const phone = await person(origin, { ...PHONE, colorScheme: "dark" });
    const small = await phone.newPage();
    await small.goto(agent.links().operator);
    await small.getByRole("heading", { name: "Sessions", exact: true }).waitFor();
    await small.goto(address);
    await new TerminalPage(small).shows(/[$#]$/);
    ensure(!(await small.locator(".timeline").isVisible()), "they are in the way");
    await small.getByRole("button", { name: "Commands: show or hide the list" }).tap();
    await entries(small).first().waitFor();
    ensure(await small.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "the page is wider than the screen");
    await picture(small, "25-timeline-on-a-phone");
    await phone.close();
  });
  await terminal.page.bringToFront();
}

async function closeAndReplay({ checks, agent, context, list, page, terminal, picture, id, origin, scratch }) {
  await checks.run("the close button closes after a question, and the record can be played", async () => {
    page.once("dialog", (dialog) => void dialog.accept());
    await page.getByRole("button", { name: "Close the session" }).click();
    await until("closed", async () => (await terminal.badge.textContent()) === "closed");
    ensure((await terminal.note.textContent()).includes("closed by a person"), await terminal.note.textContent());
    await list.bringToFront();
    const past = list.getByRole("region", { name: "Past sessions" }).getByRole("link", { name: new RegExp(`^${id}`) });
    await past.waitFor();
    await picture(list, "26-past-sessions");
    await past.click();
    await list.getByRole("button", { name: "Play", exact: true }).waitFor();
  });
  const replay = new TerminalPage(list);
  await checks.run("a replay jumps to a command, plays on at a speed and shows each moment as it was", async () => {
    await until("the commands", async () => (await entries(list).count()) > 5);
    ensureEqual(await entries(list).first().locator(".outcome").textContent(), "exit 3", "the first command's end");
    await entries(list).filter({ hasText: "echo person-was-here" }).first().click();
    await replay.shows(/echo person-was-here$/);
    ensure(!(await replay.rows()).includes("400"), "it is further than that");
    await list.getByRole("combobox", { name: "Speed" }).selectOption("16");
    await list.getByRole("button", { name: "Play", exact: true }).click();
    await replay.shows(/^400$/);
    await picture(list, "27-replay");
    await list.getByRole("button", { name: "Pause", exact: true }).click();
    const seek = list.getByRole("slider", { name: "Time" });
    await seek.focus();
    await list.keyboard.press("Home");
    ensure((await replay.rows()).every((row) => !row.includes("person-was-here")), "the beginning is not the beginning");
    ensureEqual(await breaches(list), [], "axe");
  });
  await checks.run("a file of one's own is played, long pauses are cut; another file is refused", async () => {
    const own = await context.newPage();
    await own.goto(`${origin}/replay`);
    const file = own.getByLabel("Play a file");
    writeFileSync(path.join(scratch, "own.cast"), CAST);
    await file.setInputFiles(path.join(scratch, "own.cast"));
    await own.getByRole("heading", { name: "A cast of one's own" }).waitFor();
    ensureEqual(await own.locator(".clock").textContent(), "0:00 / 0:01", "with pauses cut");
    await own.getByRole("checkbox", { name: "Cut pauses" }).uncheck();
    ensureEqual(await own.locator(".clock").textContent(), "0:00 / 1:30", "with all pauses");
    await own.getByRole("checkbox", { name: "Cut pauses" }).check();
    await own.getByRole("button", { name: "Play", exact: true }).click();
    await new TerminalPage(own).shows(/^the-end$/);
    await picture(own, "28-own-cast");
    writeFileSync(path.join(scratch, "other.txt"), "something else\n");
    await file.setInputFiles(path.join(scratch, "other.txt"));
    await until("it says so", async () => (await own.locator(".note").textContent()).includes("neither a transcript"));
  });
}
