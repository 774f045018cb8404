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

# Files, whole and in pieces, and again only where they have changed.
ask --head "$SHOP/static/shop.js"
curl -sS --etag-save tag --output style "$SHOP/static/shop.css"
ask --etag-compare tag "$SHOP/static/shop.css"
ask --header 'If-None-Match: "another", W/"one"' "$SHOP/static/shop.css"
ask --time-cond "Mon, 05 Jan 2026 09:00:00 GMT" "$SHOP/static/shop.css"
ask --time-cond "Sun, 04 Jan 2026 09:00:00 GMT" "$SHOP/static/shop.css"
ask "$SHOP/static/none.css"
ask --path-as-is "$SHOP/static/../shop/seed.py"
ask --request POST "$SHOP/static/shop.css"
curl -sS --range 0-199 --output manual "$SHOP/items/11/manual"
ask --continue-at 200 --output manual "$SHOP/items/11/manual"
ask --range -50 "$SHOP/items/11/manual"
ask --range 0-9,100-109 "$SHOP/items/11/manual"
ask --range 99999- "$SHOP/items/11/manual"
ask --range 0-9 --header 'If-Range: "of another day"' "$SHOP/items/3/manual"
ask --range 0-9 --header "If-Range: Mon, 05 Jan 2026 09:00:00 GMT" "$SHOP/items/3/manual"
ask --head "$SHOP/items/3/manual"
ask --compressed "$SHOP/items/11/manual"
ask "$SHOP/items/4/manual"
curl -sS --etag-save tag --output manual "$SHOP/items/3/manual"
ask --etag-compare tag "$SHOP/items/3/manual"

# From page to page.
cursor=$(curl -sS --dump-header - --output page "$SHOP/items/3/reviews?limit=5" | sed -n 's/^link: <\([^>]*\)>.*/\1/p')
cursor=$(curl -sS --dump-header - --output page "$SHOP$cursor" | sed -n 's/^link: <\([^>]*\)>.*/\1/p')
ask "$SHOP$cursor"
ask "$SHOP/items/3/reviews?cursor=7.forged"
ask "$SHOP/items/999/reviews"
ask "$SHOP/items/3/reviews/Chlo%C3%A9"
ask "$SHOP/items/3/reviews/nobody"
ask --get --data-urlencode "q=three cups" "$SHOP/search"
ask --get --data-urlencode "q=steel" --data "size=2" "$SHOP/search"
ask --get --data-urlencode "q=steel" --data "size=2" --data "page=2" "$SHOP/search"
ask --get --data-urlencode "q=良い" "$SHOP/search"
ask "$SHOP/search?q="
ask "$SHOP/search"

# What a customer does.
token=$(curl -sS --data "username=frances&password=frances-password" "$SHOP/login" | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
bearer="Authorization: Bearer $token"
ask --header "$bearer" --json '{"stars": 4, "text": "Holds twelve of them"}' "$SHOP/items/20/reviews"
ask --header "$bearer" --json '{"stars": 4}' "$SHOP/items/20/reviews"
ask --header "$bearer" --json '{"stars": 6}' "$SHOP/items/21/reviews"
ask --header "$bearer" --request DELETE "$SHOP/items/3/reviews/Anna"
ask --header "$bearer" "$SHOP/me/address"
ask --header "$bearer" --request PUT --json '{"street": "Allee 1", "city": "Köln", "country": "DE"}' "$SHOP/me/address"
curl -sS --header "$bearer" --etag-save tag --output address "$SHOP/me/address"
ask --header "$bearer" --request PATCH --header "Content-Type: application/json-patch+json" --header "If-Match: $(cat tag)" \
    --data '[{"op": "test", "path": "/country", "value": "DE"}, {"op": "add", "path": "/note", "value": "2nd floor"}]' "$SHOP/me/address"
ask --header "$bearer" --request PUT --json '{"street": "Allee 2", "city": "Köln", "country": "DE"}' "$SHOP/me/address"
ask --header "$bearer" --request DELETE "$SHOP/me/address"
curl -sS --cookie-jar jar --output form "$SHOP/contact"
csrf=$(sed -n 's/.*name="token" value="\([^"]*\)".*/\1/p' form)
ask --location --cookie jar --cookie-jar jar --data-urlencode "token=$csrf" --data "name=Frances" --data-urlencode "message=Is it open on Sunday?" "$SHOP/contact"
ask --data "token=none.00&name=Mallory&message=forged" "$SHOP/contact"
ask "$SHOP/admin"
ask --user margaret:guess "$SHOP/admin"
ask --user frances:frances-password "$SHOP/admin"
ask --user margaret:margaret-password "$SHOP/admin"
ask "$SHOP/chat"
ask --request OPTIONS "$SHOP/search"
ask "$SHOP/openapi.json"
