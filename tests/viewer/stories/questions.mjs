/** A connection asks, and a person answers: an unknown host key, then two questions of PAM. */

import { readFileSync } from "node:fs";
import path from "node:path";

import { Agent, AskingServer, PASSWORD, vault } from "../support/asking.mjs";
import { ensure, ensureEqual, until } from "../support/checks.mjs";
import { shownNotifications, watchNotifications } from "../support/notifications.mjs";

/** Everything a server might try in a question: markup, escape codes, a turned direction, sheer length. */
const HOSTILE = [
  "Welcome to the vault.",
  "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>",
  "\u001b]52;c;ZXZpbA==\u0007\u001b[2J\u202edrowssap\u202c",
  ...Array.from({ length: 100 }, () => "x".repeat(100)),
].join("\n");

export async function answerQuestions({ checks, program, scratch, person, watchOf, picture }) {
  const server = await AskingServer.start(path.join(scratch, "asking"), HOSTILE);
  const agent = new Agent(program, path.join(scratch, "asking"), vault(server.port));
  try {
    await agent.start();
    const href = await agent.link();
    const context = await person(new URL(href).origin);
    await watchNotifications(context, new URL(href).origin);
    const page = await context.newPage();
    await page.goto(href);
    await page.getByRole("heading", { name: "Sessions", exact: true }).waitFor();
    await trustAndAnswer({ checks, agent, server, page, picture });
    await answerInsideASession({ checks, agent, page, context, picture });
    await checks.run("the pages with questions had no error and asked nobody else", () => {
      const watches = context.pages().map(watchOf);
      ensureEqual(watches.flatMap((it) => [...it.problems, ...it.strangers]), [], "problems");
      return `${watches.length} pages`;
    });
    await context.close();
  } finally {
    agent.stop();
    server.stop();
  }
}

async function trustAndAnswer({ checks, agent, server, page, picture }) {
  const opening = agent.call("ssh_open", { profile: "vault" });
  const card = page.locator("form.question");
  await checks.run("an unknown host key is put before a person with its fingerprint, and trusted by a button", async () => {
    await card.getByRole("heading", { name: "Is this really The vault?" }).waitFor();
    ensureEqual(await card.locator(".fingerprint").textContent(), server.fingerprint, "fingerprint");
    ensureEqual(await shownNotifications(page), [`A connection asks you something | The vault: root@127.0.0.1:${server.port}`], "told on the desktop");
    ensure(await page.title() === "(1) Sessions · Portcullis", `the title is ${await page.title()}`);
    const trust = card.getByRole("button", { name: "Trust it and connect" });
    await until("the button can be pressed", () => trust.isEnabled());
    await picture(page, "9-host-key");
    await trust.click();
    const file = path.join(agent.folder, "known_hosts");
    await card.getByRole("heading", { name: "The vault asks you to log in" }).waitFor();
    ensure(readFileSync(file, "utf8").startsWith(`[127.0.0.1]:${server.port} ssh-ed25519 `), "the key is not recorded");
  });

  await checks.run("a hostile question is text, cut and cleaned, beside a masked field that has the keyboard", async () => {
    const field = card.locator("input");
    ensureEqual([await field.getAttribute("type"), await field.getAttribute("autocomplete")], ["password", "one-time-code"], "field");
    const label = await card.locator("label").textContent();
    ensure(label.includes("<img src=x onerror="), "the markup is not shown as text");
    ensure(!/[\u0000-\u0009\u000b-\u001f\u202a-\u202e]/.test(label), "control characters are shown");
    ensure(label.length <= 610, `${label.length} characters are shown`);
    ensure(label.startsWith("Welcome to the vault.") && label.endsWith("…\nPassword:"), `beginning or end is missing: ${label}`);
    ensureEqual(await card.locator("img, script").count(), 0, "elements made of the server's words");
    await until("the field has the keyboard", () => field.evaluate((it) => it === document.activeElement));
    await page.keyboard.type(PASSWORD);
    await picture(page, "10-question");
    await page.keyboard.press("Enter");
    return `${label.length} characters`;
  });

  await checks.run("the second question follows, and the session is open when it is answered", async () => {
    await page.getByText("STRESS Password:").waitFor();
    const field = card.locator("input");
    ensureEqual(await field.inputValue(), "", "what the new field holds");
    await field.fill("123456");
    await card.getByRole("button", { name: "Answer" }).click();
    await page.locator(".card a", { hasText: "The vault" }).waitFor();
    await until("the question is gone", async () => (await card.count()) === 0);
    const opened = await opening;
    ensureEqual([opened.result_status, opened.session.session_id], ["success", "s-vault-1"], "what the agent was told");
    ensure(!JSON.stringify(opened).includes("s3cret"), "the agent was told the answer");
  });
}

async function answerInsideASession({ checks, agent, page, context, picture }) {
  const terminal = await context.newPage();
  await terminal.goto(new URL("/s/s-vault-1", page.url()).href);
  await terminal.locator(".xterm-rows").waitFor();
  const opening = agent.call("ssh_open", { profile: "vault", new: true });
  const card = terminal.locator("form.question");
  await checks.run("a question comes up beside a terminal and leaves it the keyboard", async () => {
    await card.waitFor();
    ensure(await terminal.evaluate(() => document.activeElement?.classList.contains("xterm-helper-textarea")), "the terminal lost the keyboard");
    await picture(terminal, "11-question-in-a-session");
  });
  await checks.run("Escape refuses on one page, the card goes from all, and the agent hears of it", async () => {
    await card.locator("input").fill("half an answ");
    await terminal.keyboard.press("Escape");
    for (const it of [terminal, page]) await until("the card is gone", async () => (await it.locator("form.question").count()) === 0);
    const refused = await opening;
    ensureEqual([refused.result_status, refused.failure_category], ["failure", "auth-failure"], "what the agent was told");
    ensure(refused.summary.includes("a person refused"), refused.summary);
  });
}
