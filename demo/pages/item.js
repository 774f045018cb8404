// The page of an item: /static/item.html?id=3. Its reviews come page by page, by the link that the last page named.

const find = (id) => document.getElementById(id);
const item = new URLSearchParams(location.search).get("id");
let following = `/items/${item}/reviews?limit=5`;

async function showReviews() {
  const response = await fetch(following);
  const { reviews } = await response.json();
  find("reviews").append(...reviews.map((review) => {
    const entry = document.createElement("li");
    entry.textContent = `${"★".repeat(review.stars)} ${review.text} (${review.author})`;
    return entry;
  }));
  following = /<([^>]*)>; rel="next"/.exec(response.headers.get("Link") ?? "")?.[1];
  find("more").hidden = !following;
}

function followStock() {
  const source = new EventSource(`/stock/events?item=${item}&count=2`);
  let events = 0;
  source.addEventListener("stock", (event) => {
    find("stock").textContent = JSON.parse(event.data).stock;
    if (++events === 2) source.close();
  });
}

const { name, description } = await (await fetch(`/items/${item}`)).json();
find("name").textContent = name;
find("description").textContent = description ?? "";
find("picture").src = `/items/${item}/picture`;
find("manual").href = `/items/${item}/manual`;
find("more").addEventListener("click", showReviews);
await showReviews();
followStock();
