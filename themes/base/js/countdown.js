// Counts down until a limit allows another try, in the words that the page came with (theme/wait.rs): minutes while there
// are many, then seconds.

const SECONDS_SAID_MAX = 120;

const wait = document.querySelector("[data-countdown]");
const ends = Date.now() + Number(wait.dataset.countdown) * 1000;

const words = (left) => (left > SECONDS_SAID_MAX ? `${Math.ceil(left / 60)} minutes` : `${left} s`);

const tick = setInterval(() => {
  const left = Math.max(0, Math.ceil((ends - Date.now()) / 1000));
  wait.querySelector("strong").textContent = words(left);
  if (left === 0) {
    wait.textContent = "You can try again now.";
    clearInterval(tick);
  }
}, 250);
