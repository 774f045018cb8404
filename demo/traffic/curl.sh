#!/bin/sh
# What people do to a shop with curl, which is at the address in SHOP. "kept-alive": several requests on one connection.
#
# The sessions of all clients keep out of each other's way, so that they can be played side by side: no session reads what another
# one writes. Only this one creates an item.
set -eu

ask() { curl -sS --output /dev/null "$@"; }

folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
cd "$folder"

if [ "${1:-}" = kept-alive ]; then
    ask "$SHOP/items/1/picture" --next --silent --output /dev/null "$SHOP/items/12" --next --silent --output /dev/null "$SHOP/items/998" \
        --next --silent --output /dev/null --json '{"item_id": 12, "quantity": 2}' "$SHOP/cart/lines"
    exit
fi

# Looking around.
ask "$SHOP/"
ask "$SHOP/items?tag=kitchen&sort=-price&limit=3"
ask --compressed "$SHOP/items?tag=kitchen&limit=100"
ask "$SHOP/items/3"
ask "$SHOP/items/999"
ask "$SHOP/items/teapot"
ask --location "$SHOP/items/?tag=travel&tag=steel"
ask --location "$SHOP/catalogue/7"
ask --head "$SHOP/health"
ask --http1.0 "$SHOP/health"
ask --header "Connection: close" "$SHOP/health"
ask "$SHOP/stock/export?last_id=5"
ask --no-buffer "$SHOP/stock/events?item=10"
ask --range 0-99 "$SHOP/static/shop.css"
ask "$SHOP/error"

# What the staff does.
ask --data "username=ada&password=guess" "$SHOP/login"
token=$(curl -sS --data "username=ada&password=ada-password" "$SHOP/login" | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
ask --oauth2-bearer "$token" "$SHOP/me"
bearer="Authorization: Bearer $token"
ask --json '{"name": "Watering can", "price": 2200}' "$SHOP/items"
ask --header "$bearer" --json '{"name": "Watering can", "price": "dear", "tags": ["Garden"]}' "$SHOP/items"
ask --header "$bearer" --json '{"name": "Watering can", "description": "Zinc, 5 l — für draußen", "price": 2200, "tags": ["garden"]}' "$SHOP/items"
ask --header "$bearer" --request PATCH --json '{"stock": 9}' "$SHOP/items/25"
printf 'GIF89a\001\000\001\000\200\001\000\377\377\377\000\000\000!\371\004\001\n\000\001\000,\000\000\000\000\001\000\001\000\000\002\002L\001\000;' >can.gif
ask --header "$bearer" --form "picture=@can.gif" --form "caption=Watering can" "$SHOP/items/25/picture"
curl -sS --etag-save tag --output /dev/null "$SHOP/items/25/picture"
ask --etag-compare tag "$SHOP/items/25/picture"
# Rows of 64 bytes, and more than 1 MiB of them: from there on curl asks whether it may send.
yes "19,30,blue ink, counted on the shelf by the door and once more " | head -n 17000 >stock.csv
ask --header "$bearer" --header "Content-Type: text/csv" --data-binary @stock.csv "$SHOP/stock/import"
printf '15,55\n998,4\n' | ask --header "$bearer" --upload-file - --request POST "$SHOP/stock/import"
ask --header "$bearer" --request DELETE "$SHOP/items/25"
