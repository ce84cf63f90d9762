/** A person opens the printed link while the agent works, and watches until the session is over. */

import { ensure, ensureEqual, until } from "../support/checks.mjs";
import { TerminalPage } from "../support/terminal.mjs";

/** The longest the whole job may take, in milliseconds; it waits 3 s by itself. */
const JOB_TIME = 60_000;
const AGENT_COMMAND = "sleep 3; echo done";

/** Answers the tab that shows the list of sessions, with the session that stays in it. */
export async function watchTheJob({ checks, demo, context, link, watchOf, picture }) {
  const job = new TerminalPage(await context.newPage());
  await checks.run("the printed link opens the list, and the token leaves the address bar", () => logIn(job.page, context, link));
  await checks.run("the agent's session is in the list by itself; a click opens it", async () => {
    await job.page.locator(".card").first().getByRole("link").click();
    await job.page.locator(".xterm-rows").waitFor();
  });
  let born;
  await checks.run("the terminal shows the pod and the agent's command while it runs", async () => {
    await job.shows(/\$ sleep 3; echo done$/);
    ensure(!(await job.rows()).includes("done"), "the command was over before the page saw it");
    born = await job.born();
    await until("the page names the running command", async () => (await job.page.locator(".running").textContent()) === AGENT_COMMAND);
    ensureEqual(await job.badge.textContent(), "running", "badge");
    await until("the place", async () => /^bastion › master-a › orders\/orders-api-\S+$/.test(await job.breadcrumb()));
    await picture(job.page, "2-terminal-during-the-job");
  });

  const list = await context.newPage();
  let listBorn;
  await checks.run("a second tab needs no link; its list names the running command", async () => {
    await list.goto(`${link.origin}/`);
    await until("the command in the list", async () => (await list.locator(".command-line").first().textContent()) === AGENT_COMMAND);
    listBorn = await new TerminalPage(list).born();
    await picture(list, "1-list-during-the-job");
  });
  await checks.run("the list of plugins unfolds and names each with its digest", async () => {
    await list.getByRole("heading", { name: /^Plugins/ }).click();
    const standard = list.getByRole("row", { name: /policy-standard/ });
    ensure(/policy\s*[0-9a-f]{12}\s*0/.test(await standard.textContent()), `the row is ${await standard.textContent()}`);
    await picture(list, "1-list-with-plugins");
  });
  await checks.run("the command's output arrives by itself as it happens", async () => {
    await job.page.bringToFront();
    await job.shows(/^done$/);
    // Not the echo of the command line, which ends alike.
    ensure(/(?<!echo )done\r\n/.test(watchOf(job.page).traffic.output.toString()), "the line was not among the live output");
    ensureEqual(await job.born(), born, "birth of the page");
  });
  await checks.run("the page says that the session is closed, and why", async () => {
    await until("the badge says closed", async () => (await job.badge.textContent()) === "closed", { limit: JOB_TIME });
    ensure(/^This session is closed: .+/.test(await job.note.textContent()), "no reason is given");
    ensureEqual(await job.status.textContent(), "Session closed", "state of the connection");
  });
  await checks.run("the demo's own checks hold, and it stays", async () => {
    await demo.printed(/Press Ctrl-C to end/, JOB_TIME);
  });
  await checks.run("the next session comes into the open list by itself; the first moves to the closed ones", async () => {
    await list.bringToFront();
    const names = (label) => list.getByRole("region", { name: label }).locator(".card");
    await until("one open and one closed session", async () => (await names("Open sessions").count()) === 1 && (await names("Closed sessions").count()) === 1);
    await until("the new one is at its prompt", async () => (await list.locator(".badge").first().textContent()) === "at prompt");
    ensureEqual(await new TerminalPage(list).born(), listBorn, "birth of the page");
    await picture(list, "3-list-after-the-job");
  });
  await checks.run("a closed session's page, loaded anew, says so and stops asking", async () => {
    await job.page.reload();
    const describe = async () => `${await job.badge.textContent()}, ${await job.status.textContent()}, ${await job.note.textContent()}`;
    await until("the badge says closed", async () => (await job.badge.textContent()) === "closed", { describe });
    await until("the connection is over", async () => (await job.status.textContent()) === "Session closed", { describe });
    await picture(job.page, "3-closed-session");
    await job.page.close();
  });
  return { list };
}

async function logIn(page, context, { href, origin, token }) {
  await page.goto(href);
  await page.getByRole("heading", { name: "Sessions", exact: true }).waitFor();
  ensureEqual(page.url(), `${origin}/`, "address");
  const cookies = await context.cookies();
  ensureEqual(cookies.map((it) => [it.httpOnly, it.sameSite]), [[true, "Strict"]], "cookies");
  const stored = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));
  ensure(!stored.includes(token) && cookies[0].value !== token, "the token is kept in the browser");
}
