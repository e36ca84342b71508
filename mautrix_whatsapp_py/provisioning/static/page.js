"use strict";
// Follows the attempt that is under way; without this script the page is loaded again by hand.
const stage = document.getElementById("stage");
let timer = 0;

function countDown() {
  clearInterval(timer);
  const shown = stage.querySelector(".countdown");
  if (!shown) return;
  const end = Date.now() + Number(shown.dataset.seconds) * 1000;
  const tell = () => {
    const left = Math.max(0, Math.ceil((end - Date.now()) / 1000));
    shown.textContent = left > 0 ? `A new code follows in ${left} s.` : "A new code follows …";
  };
  tell();
  timer = setInterval(tell, 1000);
}

countDown();
const source = new EventSource("/login/events");
source.addEventListener("step", (event) => {
  // Ours alone, escaped where it is made.
  stage.innerHTML = JSON.parse(event.data).html;
  countDown();
});
source.addEventListener("over", () => {
  source.close();
  location.assign("/login/");
});
