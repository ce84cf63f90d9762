/** A policy asks about a line, and a person allows it once, denies it, and allows its rule for the session. */

import { existsSync, readdirSync, statSync } from "node:fs";
import path from "node:path";

import { Agent } from "../support/asking.mjs";
import { ensure, ensureEqual, until } from "../support/checks.mjs";
import { shownNotifications, watchNotifications } from "../support/notifications.mjs";

/** Harmless to run, and everything an agent might try on the person who reads it. */
const LINE = "echo deploy '<img src=x onerror=\"document.title=1\">' && echo 键";
const PURPOSE = "all clear \u202e<b>click allow</b>";

/** The lab's plugin that asks by words, as the newest build has left it. */
function component(program) {
  const build = path.join(path.dirname(program), "build");
  const found = readdirSync(build).map((name) => path.join(build, name, "out/misbehaving/misbehaving.wasm")).filter((file) => existsSync(file));
  ensure(found.length > 0, `no misbehaving.wasm below ${build}`);
  return found.sort((one, other) => statSync(other).mtimeMs - statSync(one).mtimeMs)[0];
}

function profiles(program) {
  return [
    "[plugins.team]", `path = ${JSON.stringify(component(program))}`, 'settings = { asks = ["deploy"] }',
    "[profiles.here]", 'label = "The shop"', 'kind = "local"', 'shell = ["bash", "--noprofile", "--norc"]', 'policies = ["team"]', 'policy_mode = "full"',
  ];
}

export async function approve({ checks, program, scratch, person, watchOf, picture }) {
  const agent = new Agent(program, path.join(scratch, "host"), profiles(program));
  try {
    await agent.start();
    const href = await agent.link();
    const origin = new URL(href).origin;
    const context = await person(origin, { colorScheme: "dark" });
    await watchNotifications(context, origin);
    const list = await context.newPage();
    await list.goto(href);
    await list.getByRole("heading", { name: "Sessions", exact: true }).waitFor();
    const opened = await agent.call("ssh_open", { profile: "here" });
    const session = await context.newPage();
    await session.goto(new URL(`/s/${opened.session.session_id}`, href).href);
    await session.locator(".xterm-rows").waitFor();
    await allowOnce({ checks, agent, list, session, picture });
    await deny({ checks, agent, list, session, picture });
    await allowTheRule({ checks, agent, list, session });
    await onAPhone({ checks, agent, person, href, origin, picture });
    await checks.run("the pages with approvals had no error and asked nobody else", () => {
      const watches = context.pages().map(watchOf);
      ensureEqual(watches.flatMap((it) => [...it.problems, ...it.strangers]), [], "problems");
      return `${watches.length} pages`;
    });
    await context.close();
  } finally {
    agent.stop();
  }
}

async function allowOnce({ checks, agent, list, session, picture }) {
  const running = agent.call("ssh_run", { command: LINE, wait_s: 45, purpose: PURPOSE });
  const card = list.locator("form.approval");
  await checks.run("what a policy asks about appears at once on both pages, with the exact text and its cause", async () => {
    await card.waitFor();
    await session.locator("form.approval").waitFor();
    ensureEqual(await card.locator(".approval-text").textContent(), LINE, "text");
    ensureEqual(await card.locator(".approval-text mark").allTextContents(), ["deploy"], "cause");
    ensureEqual(await card.locator(".cause code").textContent(), "lab/deploy", "rule");
    ensure((await card.locator(".cause").textContent()).includes("this word needs a person"), "the reason is missing");
    ensureEqual(await card.locator(".breadcrumb li").allTextContents(), ["local"], "place");
    ensure(/^[12]:\d\d left$/.test(await card.locator(".time-left").textContent()), "there is no time left");
    ensureEqual(await list.title(), "(1) Sessions · Portcullis", "title");
  });
  await checks.run("the agent's own words are marked as such and cannot pass for anything else", async () => {
    const said = card.getByLabel("The agent says");
    ensure((await said.textContent()).includes("all clear ⟨U+202E⟩<b>click allow</b>"), await said.textContent());
    ensureEqual(await card.locator("b, img").count(), 0, "elements made of the agent's words");
  });
  await checks.run("a person who looks elsewhere is told on the desktop, without the text", async () => {
    ensureEqual(await shownNotifications(list), ["An approval waits for you | local: lab/deploy"], "notifications");
  });
  await checks.run("it is allowed once, by the keyboard, and runs", async () => {
    const once = card.getByRole("button", { name: "Allow once" });
    await until("the button can be pressed", () => once.isEnabled());
    await picture(list, "12-approval");
    await picture(session, "13-approval-in-a-session");
    ensure(await session.evaluate(() => document.activeElement?.classList.contains("xterm-helper-textarea")), "the terminal lost the keyboard");
    await once.focus();
    await list.keyboard.press("Enter");
    const ran = await running;
    ensureEqual([ran.result_status, ran.exit_code, ran.warnings[0].rule_id], ["success", 0, "lab/deploy"], "what the agent was told");
    ensure(ran.warnings[0].reason.includes("a person allowed once (viewer"), ran.warnings[0].reason);
    for (const page of [list, session]) await until("the card is gone", async () => (await page.locator("form.approval").count()) === 0);
  });
}

async function deny({ checks, agent, list, session, picture }) {
  const running = agent.call("ssh_run", { command: LINE, wait_s: 45 });
  const card = session.locator("form.approval");
  await checks.run("from the terminal Control and F6 lead to it; Enter behind a reason denies, and the agent is told", async () => {
    await card.waitFor();
    await session.locator(".xterm-helper-textarea").focus();
    await session.keyboard.press("Control+F6");
    ensureEqual(await session.evaluate(() => document.activeElement?.textContent), "Deny", "what has the keyboard");
    await card.getByLabel("Reason for a denial; the agent is told").fill("not on a Friday");
    await picture(session, "14-denial");
    await session.keyboard.press("Enter");
    const refused = await running;
    ensureEqual([refused.result_status, refused.failure_category, refused.denial_reason], ["blocked", "policy-ask-denied", "not on a Friday"], "what the agent was told");
    for (const page of [list, session]) await until("the card is gone", async () => (await page.locator("form.approval").count()) === 0);
    ensure(!(await session.locator(".xterm-rows").textContent()).includes("Friday"), "the reason was typed");
  });
}

async function allowTheRule({ checks, agent, list, session }) {
  await checks.run("a rule allowed for the session is not asked about again", async () => {
    const running = agent.call("ssh_run", { command: LINE, wait_s: 45 });
    const button = session.locator("form.approval").getByRole("button", { name: "Allow this rule for this session" });
    await until("the button can be pressed", () => button.isEnabled());
    await button.click();
    ensureEqual((await running).result_status, "success", "the first");
    ensureEqual((await agent.call("ssh_run", { command: "echo deploy again", wait_s: 45 })).text, "deploy again\n", "the second");
    // The page hears of it on a way of its own, which a busy machine makes longer than the agent's.
    await until("no card is left", async () => (await list.locator("form.approval").count()) === 0);
  });
}

async function onAPhone({ checks, agent, person, href, origin, picture }) {
  const other = await agent.call("ssh_open", { profile: "here", new: true });
  const running = agent.call("ssh_run", { command: LINE, wait_s: 45, session_id: other.session.session_id });
  const phone = await person(origin, { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true, colorScheme: "light" });
  const page = await phone.newPage();
  await page.goto(href);
  const card = page.locator("form.approval");
  await checks.run("on a phone all of it is in view, and a tap decides", async () => {
    await card.waitFor();
    ensure(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), "the page is wider than the screen");
    await picture(page, "15-approval-on-a-phone");
    await card.getByRole("button", { name: "Deny" }).tap();
    ensureEqual((await running).failure_category, "policy-ask-denied", "what the agent was told");
  });
  await phone.close();
}
