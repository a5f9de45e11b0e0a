// Counts the seconds down until a limit allows another try.

const wait = document.querySelector("[data-countdown]");
const ends = Date.now() + Number(wait.dataset.countdown) * 1000;

const tick = setInterval(() => {
  const left = Math.max(0, Math.ceil((ends - Date.now()) / 1000));
  wait.querySelector("strong").textContent = `${left} s`;
  if (left === 0) {
    wait.textContent = "You can try again now.";
    clearInterval(tick);
  }
}, 250);
