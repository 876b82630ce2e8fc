// What the form can not do from Python: keys, names for screen readers, and a word when the server is gone.
(() => {
  const config = JSON.parse(document.getElementById("jupyter-config-data").textContent);
  const kernel = config.baseUrl + "api/kernels/" + config.kernelId;
  const lost = document.getElementById("kit-lost");
  let pair = "?", turned = 0;
  let keyboard = true;         // who uses the mouse may scroll with the arrow keys: the focus lies on the question then, not on an answer
  document.addEventListener("pointerdown", () => { keyboard = false; }, true);
  document.addEventListener("keydown", () => { keyboard = true; }, true);

  let leaving = false;
  addEventListener("beforeunload", () => { leaving = true; });
  const watch = async () => {
    if (leaving) return;
    try {
      const answer = await fetch(kernel, { cache: "no-store" });
      if (answer.ok) { gone(false); return; }
      if (answer.status === 404 && !leaving) location.reload();      // the server was restarted: this page's process is gone
    } catch { gone(true); }
  };
  const gone = (now) => {                                            // what is entered while nobody listens would not be kept
    lost.hidden = !now;
    document.getElementById("rendered_cells").inert = now;
  };
  setInterval(watch, 1500);

  const groups = () => [...document.querySelectorAll(".kit-study .kit-group")];
  const options = (group) => [...group.querySelectorAll("input[type=radio]")];
  const ready = (group) => keyboard ? chosen(group) : group;          // what gets the focus of a question
  const chosen = (group) => options(group).find((option) => option.checked) ?? options(group)[0];

  const tidy = () => {
    for (const video of document.querySelectorAll(".kit-study video")) {
      video.muted = true; video.playsInline = true;
      video.setAttribute("aria-label", video.closest(".kit-clip").querySelector(".kit-side").textContent);
    }
    for (const [number, group] of groups().entries()) {
      for (const option of options(group)) if (!option.name) option.name = "kit-" + number;
      group.setAttribute("role", "radiogroup");
      group.tabIndex = -1;
      group.setAttribute("aria-invalid", group.classList.contains("kit-missing"));
      group.setAttribute("aria-label", [...group.querySelector(".kit-ask").children].map((part) => part.textContent).join(": "));
    }
    document.querySelector(".kit-comment textarea")?.setAttribute("aria-label", "Comment");
    const now = document.querySelector(".kit-progress")?.dataset.showing ?? "";
    const start = document.querySelector(now ? ".kit-questions .kit-group:last-child input[type=radio]" : ".kit-buttons .kit-button");
    if (!start?.offsetParent) return;                          // still being drawn
    if (now !== pair) { document.getElementById("rendered_cells")?.scrollTo(0, 0); turned = Date.now(); }
    const fell = document.activeElement === document.body && Date.now() - turned < 3000;      // drawing can take the focus away again
    if ((keyboard || now) && (now !== pair || fell)) (now ? ready(groups()[0]) : start).focus({ preventScroll: true });
    pair = now;
  };
  new MutationObserver(tidy).observe(document.body, { childList: true, subtree: true, characterData: true });
  setInterval(tidy, 400);

  // A pair is stored as the page shows it: a choice made just before the click may reach Python after the click.
  document.addEventListener("click", (event) => {
    const box = event.target.closest(".kit-store") && document.querySelector(".kit-sent textarea");
    if (!box) return;
    event.stopImmediatePropagation();
    const places = groups().map((group) => { const place = options(group).findIndex((option) => option.checked); return place < 0 ? null : place; });
    const showing = document.querySelector(".kit-progress").dataset.showing;
    if (places.includes(null)) ready(groups()[places.indexOf(null)]).focus();          // Python marks it and says so
    box.value = JSON.stringify({ showing, places, comment: document.querySelector(".kit-comment textarea").value, at: Date.now() });
    box.dispatchEvent(new Event("input", { bubbles: true }));
    const sent = box.value;                                          // Python empties the box; else its process has ended
    setTimeout(() => { if (box.isConnected && box.value === sent && lost.hidden) location.reload(); }, 8000);
  }, true);

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const all = groups();
    const early = event.target === document.body && Date.now() - turned < 3000;      // the pair is up, its focus not yet set
    const target = early && all.length ? chosen(all[0]) : event.target;
    if (target?.type !== "radio" && !target?.classList?.contains("kit-group")) return;
    const here = all.indexOf(target.closest(".kit-group"));
    const option = here < 0 ? undefined : options(all[here])[Number(event.key) - 1];
    if (option) {
      option.click();
      (here + 1 < all.length ? chosen(all[here + 1]) : document.querySelector(".kit-go")).focus();
      event.preventDefault();
    } else if (event.key === "Enter") {
      document.querySelector(".kit-go")?.focus();
      event.preventDefault();
    }
  });
})();
