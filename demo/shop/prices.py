"""Prices asked for over a WebSocket: an item's id in, its price out."""

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from starlette.concurrency import run_in_threadpool

router = APIRouter()

NOT_A_PRICE_QUESTION = 4000


@router.websocket("/ws")
async def answer_prices(socket: WebSocket) -> None:
    """Anything but a number is echoed; "bye" ends the talk, and bytes do not belong here."""

    def read_price(item_id: int) -> int | None:
        with socket.state.database.connect() as connection:
            row = connection.execute("SELECT price FROM items WHERE id = ?", (item_id,)).fetchone()
            return row and row["price"]

    await socket.accept()
    try:
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            if text is None:
                await socket.close(NOT_A_PRICE_QUESTION, "text only")
                return
            if text == "bye":
                await socket.close()
                return
            if text.isascii() and text.isdigit() and len(text) < 19:
                item_id = int(text)
                await socket.send_json({"item": item_id, "price": await run_in_threadpool(read_price, item_id)})
            else:
                await socket.send_text(text)
    except WebSocketDisconnect:
        return
