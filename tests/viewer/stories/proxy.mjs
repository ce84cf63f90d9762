/** Behind a proxy that knows who a person is: no link is needed, and what they do carries their name. */

import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

import { Agent, SHOP } from "../support/asking.mjs";
import { ensure, ensureEqual, until } from "../support/checks.mjs";
import { Proxy } from "../support/proxy.mjs";
import { TerminalPage } from "../support/terminal.mjs";
import { upgradeStatus } from "../support/upgrade.mjs";

const SECRET = "a-secret-of-the-proxy-and-the-host-alone";
const DOOR = 18_801;

export async function comeByProxy({ checks, program, scratch, person, watchOf, picture }) {
  const proxy = await Proxy.start(SECRET);
  proxy.target = DOOR;
  const settings = [
    "[viewer.proxy]", `listen = "127.0.0.1:${DOOR}"`, 'trusted = ["127.0.0.1"]', 'secret = { env = "PROXY_SECRET" }',
    `hosts = ["${proxy.name}"]`, `origins = ["${proxy.origin}"]`, 'user_header = "x-forwarded-user"', 'users = { ann = "driver" }', 'default_role = "observer"',
    ...SHOP,
  ];
  process.env["PROXY_SECRET"] = SECRET;
  const agent = new Agent(program, path.join(scratch, "host"), settings);
  try {
    await agent.start();
    const own = new URL(await agent.link()).origin;
    const opened = await agent.call("ssh_open", { profile: "here" });
    const id = opened.session.session_id;
    const context = await person(proxy.origin, { colorScheme: "dark" });
    const page = await context.newPage();
    const terminal = new TerminalPage(page);
    await checks.run("whom the proxy names types without a link, and their name stands in the record", async () => {
      proxy.user = "ann";
      await page.goto(`${proxy.origin}/s/${id}`);
      await terminal.shows(/[$#]$/);
      ensureEqual(await page.locator(".role-badge").textContent(), "ann: driver", "badge");
      await terminal.type("echo by-the-proxy");
      await terminal.shows(/^by-the-proxy$/);
      await picture(page, "36-behind-a-proxy");
      const folder = path.join(agent.folder, "state/instances");
      const [instance] = readdirSync(folder);
      const lines = readFileSync(path.join(folder, instance, "transcripts", `${id}.jsonl`), "utf8").split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
      const [first, ...rest] = lines.filter((it) => it.kind === "person");
      ensureEqual([first?.name, rest.length], ["ann", 0], "persons in the record");
      ensure(first.number < lines.find((it) => it.kind === "input" && it.actor === "human").number, "the name comes after the keys");
      ensureEqual(await context.cookies(), [], "cookies");
    });
    await checks.run("others whom it names watch only, and nobody comes in unnamed", async () => {
      proxy.user = "carl";
      const other = await person(proxy.origin, {});
      const watching = await other.newPage();
      await watching.goto(`${proxy.origin}/s/${id}`);
      await until("the badge", async () => (await watching.locator(".role-badge").textContent()) === "carl: observer");
      ensureEqual(await watching.locator(".control select").count(), 0, "controls");
      proxy.user = undefined;
      ensureEqual((await watching.request.get(`${proxy.origin}/`)).status(), 403, "without a name");
      await other.close();
    });
    await checks.run("the header counts for nothing without the proxy, at either door", async () => {
      const headers = { "x-forwarded-user": "ann" };
      ensureEqual((await page.request.get(`${own}/api/v1/me`, { headers })).status(), 403, "the viewer's own door");
      const host = proxy.name;
      ensureEqual((await page.request.get(`http://127.0.0.1:${DOOR}/api/v1/me`, { headers: { ...headers, host } })).status(), 403, "the proxy's door without its secret");
      const address = `http://127.0.0.1:${DOOR}`;
      const terminalPath = `/api/v1/sessions/${id}/terminal`;
      ensureEqual(await upgradeStatus(address, terminalPath, { ...headers, host, origin: proxy.origin }), 403, "a socket without its secret");
      const secret = { "x-portcullis-proxy-secret": SECRET };
      ensureEqual(await upgradeStatus(address, terminalPath, { ...headers, ...secret, host, origin: "http://evil.test" }), 403, "a socket of another page");
      ensureEqual(await upgradeStatus(address, terminalPath, { ...headers, ...secret, host, origin: proxy.origin }), 101, "as a control");
    });
    await checks.run("the pages behind the proxy had no error and asked nobody else", () => {
      const watches = context.pages().map(watchOf);
      ensureEqual(watches.flatMap((it) => [...it.problems, ...it.strangers]), [], "problems");
      return `${watches.length} pages`;
    });
    await context.close();
  } finally {
    agent.stop();
    proxy.stop();
  }
}
