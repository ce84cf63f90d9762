/** Strangers: without a token, with a wrong one, from another page, by another name. */

import http from "node:http";
import { once } from "node:events";

import { ensure, ensureEqual, until } from "../support/checks.mjs";
import { upgradeStatus } from "../support/upgrade.mjs";

const EVENTS = "/api/v1/events";
const SESSIONS = "/api/v1/sessions";

export async function refuseStrangers({ checks, browser, context, link, watch, picture }) {
  const { origin, token } = link;
  const wrongToken = token.slice(0, -1) + (token.endsWith("0") ? "1" : "0");
  for (const [name, address] of [
    ["without a token", `${origin}/`],
    ["without a token at a session's address", `${origin}/s/s-lab-2`],
    ["with a token that differs in its last character", `${origin}/#token=${wrongToken}`],
  ]) {
    await checks.run(`${name}: a page that asks for the link, and nothing else`, async () => {
      const stranger = await browser.newContext();
      try {
        const page = await stranger.newPage();
        const seen = watch(page);
        await page.goto(address);
        await page.getByRole("heading", { name: "A link is needed" }).waitFor();
        ensureEqual(await page.evaluate(async (path) => (await fetch(path)).status, SESSIONS), 401, "status of the API");
        ensureEqual(await stranger.cookies(), [], "cookies");
        ensureEqual(seen.strangers, [], "requests to others");
        ensure(!page.url().includes("token"), `the address bar shows ${page.url()}`);
        if (name.startsWith("with a")) await picture(page, "7-wrong-token");
      } finally {
        await stranger.close();
      }
    });
  }

  await checks.run("an unknown session is named as such", async () => {
    const page = await context.newPage();
    await page.goto(`${origin}/s/no-such-session`);
    await until("the heading says so", async () => (await page.locator("h1").textContent()) === "No such session");
    await page.close();
  });

  const [cookie] = await context.cookies(origin);
  const known = { cookie: `${cookie.name}=${cookie.value}` };
  const port = new URL(origin).port;
  const paths = [EVENTS, `${SESSIONS}/s-lab-2/terminal`];
  for (const [name, status, headers] of [
    ["from the page itself, as a control", 101, { ...known, origin }],
    ["from the page itself but without a login", 401, { origin }],
    ["from a foreign Origin with a stolen login", 403, { ...known, origin: "http://evil.test" }],
    ["from another port of this machine", 403, { ...known, origin: `http://127.0.0.1:${Number(port) - 1}` }],
    ["from a sandboxed frame (Origin null)", 403, { ...known, origin: "null" }],
    ["without any Origin", 403, known],
    ["to a name that was rebound to this address", 403, { ...known, host: `evil.test:${port}`, origin: `http://evil.test:${port}` }],
    ["to a rebound name with the right Origin", 403, { ...known, host: `evil.test:${port}`, origin }],
  ]) {
    await checks.run(`WebSocket ${name}: ${status}`, async () => {
      for (const path of paths) ensureEqual(await upgradeStatus(origin, path, headers), status, path);
    });
  }

  await checks.run("another page in the same, logged-in browser can neither read, open a socket nor post a form", async () => {
    const server = http.createServer((_, answer) => answer.setHeader("content-type", "text/html").end("<title>other</title>"));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    try {
      const page = await context.newPage();
      await page.goto(`http://127.0.0.1:${server.address().port}/`);
      const answers = await page.evaluate(probeFromOutside, { origin, paths, read: SESSIONS });
      ensureEqual(answers, { sockets: ["refused", "refused"], read: "refused" }, "what the other page reached");
      // SameSite keeps the login from it, and its Origin gives it away in any case.
      const sent = page.waitForResponse((response) => response.request().method() === "POST");
      await page.evaluate((action) => {
        const form = document.createElement("form");
        Object.assign(form, { method: "post", action, enctype: "text/plain" });
        const field = document.createElement("input");
        Object.assign(field, { name: '{"type":"close","x":"', value: '"}' });
        form.append(field);
        document.body.append(form);
        form.submit();
      }, `${origin}${SESSIONS}/s-lab-2/control`);
      ensureEqual((await sent).status(), 403, "a form of another page");
      await page.close();
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
}

/** Runs in the foreign page. */
async function probeFromOutside({ origin, paths, read }) {
  const socket = (path) =>
    new Promise((resolve) => {
      const socket = new WebSocket(origin.replace("http:", "ws:") + path);
      socket.onopen = () => resolve("open");
      socket.onerror = () => resolve("refused");
    });
  const answer = await fetch(origin + read, { credentials: "include" }).then(
    (response) => `status ${response.status}`,
    () => "refused",
  );
  return { sockets: await Promise.all(paths.map(socket)), read: answer };
}

/** Shows that the watch on breaches and strangers would see one. */
export async function watchSees({ checks, context, link, watch }) {
  await checks.run("control: a page that breaks the content policy is noticed", async () => {
    const page = await context.newPage();
    const seen = watch(page);
    await page.goto(`${link.origin}/`);
    await page.getByRole("heading", { name: "Sessions", exact: true }).waitFor();
    ensureEqual(seen.problems, [], "problems before");
    await page.evaluate(() => {
      const picture = document.createElement("img");
      picture.src = "http://other.test/spy.png";
      document.body.append(picture);
    });
    await until("the breach is noticed", () => seen.problems.some((it) => it.startsWith("content policy breached: img-src")));
    await page.close();
  });
}
