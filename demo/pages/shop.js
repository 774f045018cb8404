// The front page's script: lists items, fills the cart, logs in and orders.

const find = (id) => document.getElementById(id);
let token = null;

async function call(method, path, body) {
  const headers = {};
  if (token) headers["Authorization"] = `Bearer ${token}`;
  if (body && !(body instanceof URLSearchParams)) {
    headers["Content-Type"] = "application/json";
    body = JSON.stringify(body);
  }
  const response = await fetch(path, { method, headers, body });
  const answer = response.status === 204 ? null : await response.json();
  if (!response.ok) {
    find("message").textContent = `${response.status}: ${JSON.stringify(answer.detail)}`;
    return null;
  }
  find("message").textContent = "";
  return answer;
}

const money = (cents) => `${(cents / 100).toFixed(2)} €`;

async function showItems() {
  const asked = new FormData(find("search"));
  const query = new URLSearchParams({ limit: "6", sort: "name", tag: asked.get("tag") });
  if (asked.get("search")) query.set("search", asked.get("search"));
  const page = await call("GET", `/items?${query}`);
  if (!page) return;
  find("items").replaceChildren(...page.items.map((item) => {
    const entry = document.createElement("li");
    const title = document.createElement("strong");
    title.textContent = item.name;
    const price = document.createElement("p");
    price.textContent = `${money(item.price)}, ${item.stock} left`;
    const button = document.createElement("button");
    button.textContent = "Add to cart";
    button.dataset.item = item.id;
    button.addEventListener("click", () => addToCart(item.id));
    entry.append(title, price, button);
    return entry;
  }));
}

function showCart(cart) {
  if (!cart) return;
  const lines = cart.lines.map((line) => `${line.quantity} × ${line.name}`);
  find("cart").replaceChildren(...[...lines, money(cart.total)].map((text) => {
    const entry = document.createElement("li");
    entry.textContent = text;
    return entry;
  }));
}

async function addToCart(item) {
  showCart(await call("POST", "/cart/lines", { item_id: item, quantity: 1 }));
}

async function logIn(form) {
  const answer = await call("POST", "/login", new URLSearchParams(new FormData(form)));
  if (!answer) return;
  token = answer.access_token;
  const account = await call("GET", "/me");
  find("account").textContent = account.name;
}

async function order() {
  const placed = await call("POST", "/orders");
  if (!placed) return;
  find("message").textContent = `Order ${placed.number}: ${money(placed.total)}`;
  showCart(await call("GET", "/cart"));
}

find("search").addEventListener("submit", (event) => {
  event.preventDefault();
  showItems();
});
find("login").addEventListener("submit", (event) => {
  event.preventDefault();
  logIn(event.target);
});
find("order").addEventListener("click", order);

await showItems();
showCart(await call("GET", "/cart"));
