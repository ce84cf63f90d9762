/** Starts the page: log in if the address brings a token, then show what the address names. */

import { element } from "./dom";
import { logIn, takeToken, whoAmI } from "./host-api";
import { ReplayPage } from "./replay-page";
import { mayApprove } from "./roles";
import { SessionPage } from "./session-page";
import { brand, showSessionsPage } from "./sessions-page";
import { installStylePolicy } from "./style-policy";
import { apply as applyTheme } from "./theme";
import "./style.css";

const events = {
  loginNeeded: () =>
    message("A link is needed", "Open the link that Portcullis printed when it started. Each launch has its own."),
  outdated: () => message("This page is out of date", "Portcullis was updated while the page was open. Reload it."),
};

async function start(): Promise<void> {
  const token = takeToken();
  const who = token === undefined ? await whoAmI() : await logIn(token);
  if (who.login === "unknown") return events.loginNeeded();
  if (who.login === "unreachable") return message("Portcullis does not answer", "Is it still running? Then reload this page.");
  document.body.classList.toggle("may-not-approve", !mayApprove(who.caller.role));
  const record = /^\/r\/([^/]+)\/([^/]+)$/.exec(location.pathname);
  if (record !== null || location.pathname === "/replay") {
    const [instance, past] = [record?.[1], record?.[2]].map((it) => (it === undefined ? undefined : decoded(it)));
    new ReplayPage(document.body, who.caller, instance === undefined || past === undefined ? undefined : { instance, session: past });
    return;
  }
  const session = /^\/s\/([^/]+)$/.exec(location.pathname)?.[1];
  const id = session === undefined ? undefined : decoded(session);
  if (id === undefined) showSessionsPage(document.body, who.caller, events);
  else new SessionPage(document.body, id, who.caller, events);
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function message(title: string, text: string): void {
  document.title = `${title} · Portcullis`;
  document.body.replaceChildren(
    element("header", { class: "masthead" }, brand()),
    element("main", { class: "message", role: "alert" }, element("h1", {}, title), element("p", {}, text)),
  );
}

installStylePolicy(document);
applyTheme();
// A new link opened in this tab changes only the fragment, which loads nothing by itself.
window.addEventListener("hashchange", () => {
  if (location.hash.includes("token=")) location.reload();
});
void start();
