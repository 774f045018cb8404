// The chat page: /static/chat.html?room=help&name=me.

const find = (id) => document.getElementById(id);
const asked = new URLSearchParams(location.search);
const address = `/chat/${asked.get("room")}?name=${asked.get("name")}`;
const socket = new WebSocket(new URL(address, location.href.replace(/^http/, "ws")), "chat.v1");

function show(text) {
  const entry = document.createElement("li");
  entry.textContent = text;
  find("said").append(entry);
}

socket.addEventListener("message", (event) => show(event.data));
socket.addEventListener("close", (event) => show(`closed: ${event.code} ${event.reason}`));
find("say").addEventListener("submit", (event) => {
  event.preventDefault();
  socket.send(event.target.text.value);
  event.target.reset();
});
