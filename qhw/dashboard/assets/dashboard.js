"use strict";
// The part of a page that changes is asked for again: often while jobs run, else seldom.
const now = document.getElementById("now");
const OFTEN_MS = 3000, SELDOM_MS = 30000;
if (now) {
  const ended = document.getElementById("ended");
  const open = () => Number(now.querySelector("[data-open]")?.dataset.open ?? 0) > 0;
  const again = async () => {
    if (!document.hidden) {
      try {
        const answer = await fetch(now.dataset.from);
        if (!answer.ok) throw new Error(answer.statusText);
        const text = await answer.text();
        if (text !== again.last) now.innerHTML = text;
        again.last = text;
        ended.hidden = true;
      } catch {
        ended.hidden = false;
      }
    }
    setTimeout(again, open() ? OFTEN_MS : SELDOM_MS);
  };
  setTimeout(again, open() ? OFTEN_MS : SELDOM_MS);
}
