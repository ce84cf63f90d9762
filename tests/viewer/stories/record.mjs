/** What was recorded is found again; that nothing is recorded is seen; links and the graphics card. */

import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";

import { Agent, SHOP } from "../support/asking.mjs";
import { breaches } from "../support/axe.mjs";
import { ensure, ensureEqual, until } from "../support/checks.mjs";
import { TerminalPage } from "../support/terminal.mjs";

export async function findAgain({ checks, program, scratch, person, watchOf, picture }) {
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
    await agent.call("ssh_run", { command: "for i in $(seq 300); do echo line-$i; done; echo order-$((6*7))-failed; seq 300", session_id: id });
    await agent.call("ssh_run", { command: "rm -rf /", session_id: id });
    const page = await context.newPage();
    await page.goto(`${origin}/s/${id}`);
    const terminal = new TerminalPage(page);
    await terminal.shows(/[$#]$/);
    const stage = { checks, agent, context, list, page, terminal, picture, origin, id, person };
    await search(stage);
    await link(stage);
    await graphicsCard(stage);
    await secret(stage);
    await alarm(stage);
    await checks.run("the pages of the record had no error and asked nobody else", () => {
      const watches = context.pages().map(watchOf);
      // The browser itself writes down that a search was refused, which was asked for.
      const refused = /status of 422/;
      ensureEqual(watches.flatMap((it) => [...it.problems.filter((problem) => !refused.test(problem)), ...it.strangers]), [], "problems");
      return `${watches.length} pages`;
    });
    await context.close();
  } finally {
    agent.stop();
  }
}

async function search({ checks, list, picture, agent, person, origin, id }) {
  const section = list.getByRole("region", { name: "Search the record" });
  const said = section.getByRole("status");
  const find = async (page, text) => {
    const place = page.getByRole("region", { name: "Search the record" });
    await place.getByRole("searchbox").fill(text);
    await place.getByRole("button", { name: "Search", exact: true }).click();
  };
  await checks.run("a search of the record leads to the place in the replay", async () => {
    await find(list, "ORDER-42-fail");
    await until("a hit", async () => (await said.textContent()) === "1 hit in 1 transcript.", { describe: () => said.textContent() });
    const hit = section.getByRole("link").first();
    ensureEqual(await hit.textContent(), "order-42-failed", "the line of the hit");
    ensureEqual(await breaches(list), [], "axe");
    await picture(list, "30-record-search");
    await hit.click();
    await list.getByRole("button", { name: "Play", exact: true }).waitFor();
    await new TerminalPage(list).shows(/^order-42-failed$/);
    await picture(list, "31-replay-at-the-hit");
    await list.goBack();
    await section.waitFor();
  });
  await checks.run("what was refused is found by its verdict, a pattern that is none is told, nothing is a search for nothing", async () => {
    await section.getByText("More", { exact: true }).click();
    await section.getByRole("combobox", { name: "Verdict" }).selectOption("deny");
    await find(list, "");
    await until("the refused line", async () => (await section.getByRole("link").allTextContents()).join().includes("rm -rf /"), { describe: () => section.textContent() });
    await section.getByRole("combobox", { name: "Verdict" }).selectOption("");
    await section.getByRole("checkbox", { name: "Pattern" }).check();
    await find(list, "(");
    await until("it says so", async () => (await said.textContent()).includes("("), { describe: () => said.textContent() });
    await section.getByRole("checkbox", { name: "Pattern" }).uncheck();
    await find(list, "");
    await until("it says so", async () => (await said.textContent()).includes("nothing to look for"), { describe: () => said.textContent() });
    ensureEqual(await section.getByRole("link").count(), 0, "hits of an older search");
  });
  await checks.run("the observer finds what this launch has recorded", async () => {
    const context = await person(origin, { colorScheme: "light" });
    const page = await context.newPage();
    await page.goto(agent.links().observer);
    await page.getByRole("heading", { name: "Sessions", exact: true }).waitFor();
    await find(page, "order-42");
    await page.getByRole("link", { name: /^order-42-failed/ }).waitFor();
    ensure((await page.getByRole("region", { name: "Search the record" }).textContent()).includes(id), "the session is not named");
    await context.close();
  });
}

async function link({ checks, page, agent, id, terminal, context }) {
  await checks.run("an address in the output is a link: told when pointed at, followed only with Control", async () => {
    await agent.call("ssh_run", { command: "clear; echo see http://127.0.0.1:9/a-page and more", session_id: id });
    await terminal.shows(/^see http/);
    const row = page.locator(".xterm-rows > div", { hasText: /^see http/ });
    const { x, y, height } = await row.boundingBox();
    await page.mouse.move(x + 80, y + height / 2);
    await until("it is told", async () => (await terminal.note.textContent()).startsWith("http://127.0.0.1:9/a-page (Control"), { describe: () => terminal.note.textContent() });
    const before = context.pages().length;
    await page.mouse.click(x + 80, y + height / 2);
    await page.mouse.move(x + 80, y + height * 3);
    await until("it is over", async () => (await terminal.note.textContent()) === "", { describe: () => terminal.note.textContent() });
    ensureEqual(context.pages().length, before, "pages after a plain click");
  });
}

/** The browser of the tests has no card; what it imitates draws the same way once it is taken for one. */
async function graphicsCard({ checks, person, origin, agent, id, picture, page }) {
  await checks.run("without a graphics card the page's own elements are drawn with, with one the card is, and its loss is survived", async () => {
    ensureEqual(await page.locator(".terminal-mount").getAttribute("data-renderer"), "dom", "without a card");
    const context = await person(origin, { colorScheme: "dark" });
    await context.addInitScript(() => {
      const { getParameter } = WebGL2RenderingContext.prototype;
      const UNMASKED_RENDERER = 0x9246;
      WebGL2RenderingContext.prototype.getParameter = function (name) {
        return name === UNMASKED_RENDERER ? "a graphics card" : getParameter.call(this, name);
      };
    });
    const fast = await context.newPage();
    await fast.goto(agent.links().operator);
    await fast.getByRole("heading", { name: "Sessions", exact: true }).waitFor();
    await fast.goto(`${origin}/s/${id}`);
    const mount = fast.locator(".terminal-mount");
    await until("the card draws", async () => (await mount.getAttribute("data-renderer")) === "webgl", { describe: () => mount.getAttribute("data-renderer") });
    await agent.call("ssh_run", { command: "clear; printf '\\033[31mred \\033[1;32mgreen\\033[0m 数据库 ❤️ plain\\n'", session_id: id });
    ensureEqual(await fast.locator(".xterm-rows > div").count(), 0, "rows of elements");
    await until("something red is drawn", () => fast.evaluate(drawsRed));
    await picture(fast, "32-webgl");
    await fast.evaluate(() => {
      for (const canvas of document.querySelectorAll(".xterm-screen canvas")) canvas.getContext("webgl2")?.getExtension("WEBGL_lose_context")?.loseContext();
    });
    await until("the page's elements draw", async () => (await mount.getAttribute("data-renderer")) === "dom", { limit: 15_000 });
    await new TerminalPage(fast).shows(/^red green/);
    await picture(fast, "33-webgl-lost");
    await context.close();
  });
}

/** Runs in the page: whether a canvas of the terminal has red in it, looked at in the frame it is drawn in. */
function drawsRed() {
  return new Promise((resolve) => {
    requestAnimationFrame(() => {
      const red = [...document.querySelectorAll(".xterm-screen canvas")].some((canvas) => {
        const copy = document.createElement("canvas");
        [copy.width, copy.height] = [canvas.width, canvas.height];
        const flat = copy.getContext("2d");
        flat.drawImage(canvas, 0, 0);
        const { data } = flat.getImageData(0, 0, copy.width, copy.height);
        for (let at = 0; at < data.length; at += 4) if (data[at] > 180 && data[at + 1] < 150 && data[at + 2] < 150 && data[at + 3] > 200) return true;
        return false;
      });
      resolve(red);
    });
  });
}

const SECRET = "browser-t0p-s3cret";

async function secret({ checks, agent, page, terminal, id, picture }) {
  const field = page.getByRole("form", { name: "A secret for the terminal" });
  await checks.run("a password the terminal asks for is typed in a masked field, and stands nowhere", async () => {
    ensure(!(await field.isVisible()), "a field without a question");
    await terminal.type(`read -rsp 'Password: ' word; echo; printf %s "$word" | sha256sum`);
    await field.waitFor();
    const input = page.locator("#terminal-secret");
    ensureEqual(await input.getAttribute("type"), "password", "the field");
    const asked = await agent.call("ssh_read", { session_id: id });
    ensureEqual((await agent.call("ssh_run", { command: "echo no", session_id: id, wait_s: 0 })).result_status, "blocked", "what the agent may do");
    ensure(await page.evaluate(() => document.activeElement?.id !== "terminal-secret"), "it took the keyboard");
    ensureEqual(await breaches(page), [], "axe");
    await input.fill(SECRET);
    await picture(page, "37-secret");
    await page.keyboard.press("Enter");
    const digest = createHash("sha256").update(SECRET).digest("hex");
    await terminal.shows(new RegExp(`^${digest}`));
    await until("the field is gone", async () => !(await field.isVisible()));
    ensureEqual(await input.inputValue(), "", "what the field holds");
    const read = await agent.call("ssh_read", { session_id: id });
    const files = readdirSync(agent.folder, { recursive: true, withFileTypes: true }).filter((it) => it.isFile());
    const texts = [JSON.stringify(asked), JSON.stringify(read), (await terminal.rows()).join("\n"), ...files.map((it) => readFileSync(path.join(it.parentPath, it.name), "latin1"))];
    ensure(files.length > 2 && texts.every((text) => !text.includes(SECRET)), "the secret is somewhere");
    return `${files.length} files looked at`;
  });
}

async function alarm({ checks, agent, page, list, id, picture }) {
  await checks.run("that nothing is recorded is said at once on both pages, and no longer when it is over", async () => {
    const alarms = [page.locator("body > .alarm"), list.locator(".card .alarm")];
    for (const it of alarms) ensure(!(await it.isVisible()), "an alarm without a reason");
    const folder = path.join(agent.folder, "state/instances");
    const [instance] = readdirSync(folder);
    const { size } = statSync(path.join(folder, instance, "transcripts", `${id}.jsonl`));
    agent.limitFiles(size + 50);
    await agent.call("ssh_run", { command: "echo unrecorded", session_id: id });
    for (const it of alarms) await until("the alarm", async () => (await it.isVisible()) && (await it.textContent()).includes("NOT on record"), { describe: () => it.textContent() });
    await picture(page, "34-not-recorded");
    await picture(list, "35-not-recorded-list");
    ensureEqual(await breaches(page), [], "axe");
    agent.limitFiles("unlimited");
    await agent.call("ssh_run", { command: "echo recorded-again", session_id: id });
    for (const it of alarms) await until("its end", async () => !(await it.isVisible()), { describe: () => it.textContent() });
  });
}
