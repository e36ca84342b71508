"""What businesses send and what people answer them, from protobuf to cards; nothing raises."""

from __future__ import annotations

import json
from typing import Any

from mautrix_whatsapp_py.model.rich import WaCard
from mautrix_whatsapp_py.model.rich import WaCardKind as K
from mautrix_whatsapp_py.whatsapp.host.card_parts import (
    get_amount,
    get_context,
    get_header,
    get_line,
    get_lines,
    get_picture,
)
from mautrix_whatsapp_py.whatsapp.host.decode_context import MAX_TEXT
from mautrix_whatsapp_py.whatsapp.host.decode_scene import Scene
from mautrix_whatsapp_py.whatsapp.host.protobuf import get_text


def decode_buttons(part: Any, scene: Scene) -> WaCard:
    """A message with buttons."""
    return WaCard(
        kind=K.BUTTONS,
        title=get_line(part.text),
        body=get_text(part.contentText, MAX_TEXT),
        footer=get_line(part.footerText),
        choices=get_lines(button.buttonText.displayText for button in part.buttons),
        media=get_header(part, scene.source.chat),
        context=get_context(part, scene),
    )


def decode_list(part: Any, scene: Scene) -> WaCard:
    """A list to choose from."""
    rows = (row for section in part.sections for row in section.rows)
    return WaCard(
        kind=K.LIST,
        title=get_line(part.title),
        body=get_text(part.description, MAX_TEXT),
        footer=get_line(part.footerText),
        choices=get_lines(
            ": ".join(filter(None, (get_line(row.title), get_line(row.description)))) for row in rows
        ),
        context=get_context(part, scene),
    )


def decode_template(part: Any, scene: Scene) -> WaCard:
    """A message made of a template."""
    if part.HasField("interactiveMessageTemplate"):
        return decode_interactive(part.interactiveMessageTemplate, scene)
    hydrated = part.hydratedTemplate if part.HasField("hydratedTemplate") else part.hydratedFourRowTemplate
    if not hydrated.ListFields() and part.HasField("fourRowTemplate"):
        card = decode_structured(part.fourRowTemplate.content, scene)
        return WaCard(kind=K.TEMPLATE, body=card.body, details=card.details, context=get_context(part, scene))
    choices = get_lines(_button_text(button) for button in hydrated.hydratedButtons)
    return WaCard(
        kind=K.PHONE_ONLY if hydrated.maskLinkedDevices and not hydrated.hydratedContentText else K.TEMPLATE,
        title=get_line(hydrated.hydratedTitleText),
        body=get_text(hydrated.hydratedContentText, MAX_TEXT),
        footer=get_line(hydrated.hydratedFooterText),
        choices=choices,
        media=get_header(hydrated, scene.source.chat),
        context=get_context(part, scene),
    )


def _button_text(button: Any) -> str:
    url, call = button.urlButton, button.callButton
    if button.HasField("urlButton"):
        return " ".join(filter(None, (get_line(url.displayText), get_line(url.URL))))
    if button.HasField("callButton"):
        return " ".join(filter(None, (get_line(call.displayText), get_line(call.phoneNumber))))
    return get_line(button.quickReplyButton.displayText)


def decode_structured(part: Any, scene: Scene) -> WaCard:
    """A message in the form before templates."""
    if part.HasField("hydratedHsm"):
        return decode_template(part.hydratedHsm, scene)
    return WaCard(kind=K.TEMPLATE, details=get_lines(part.params))


def decode_interactive(part: Any, scene: Scene) -> WaCard:
    """A message with forms, links or a carousel."""
    cards = part.carouselMessage.cards[:10]
    choices = (_native_text(button.buttonParamsJSON) for button in part.nativeFlowMessage.buttons)
    return WaCard(
        kind=K.INTERACTIVE,
        title=get_line(part.header.title) or get_line(part.header.subtitle),
        body=get_text(part.body.text, MAX_TEXT),
        footer=get_line(part.footer.text),
        details=get_lines(
            ": ".join(filter(None, (get_line(card.header.title), get_line(card.body.text)))) for card in cards
        ),
        choices=get_lines(choices),
        media=get_header(part.header, scene.source.chat),
        context=get_context(part, scene),
    )


def _native_text(params: str | bytes) -> str:
    """What a button says and where it leads; its parameters are JSON of the business."""
    try:
        said = json.loads(get_text(params, MAX_TEXT))
    except (ValueError, RecursionError):
        return ""
    if not isinstance(said, dict):
        return ""
    texts = (said.get(name) for name in ("display_text", "title", "url", "copy_code", "phone_number"))
    return " ".join(text for text in texts if isinstance(text, str))


def decode_list_answer(part: Any, scene: Scene) -> WaCard:
    """What was chosen of a list."""
    body = get_line(part.title) or get_line(part.description) or get_line(part.singleSelectReply.selectedRowID)
    return WaCard(kind=K.LIST_ANSWER, body=body, context=get_context(part, scene))


def decode_button_answer(part: Any, scene: Scene) -> WaCard:
    """Which button was pressed."""
    body = get_line(part.selectedDisplayText) or get_line(part.selectedButtonID)
    return WaCard(kind=K.BUTTON_ANSWER, body=body, context=get_context(part, scene))


def decode_template_answer(part: Any, scene: Scene) -> WaCard:
    """What was answered to a template."""
    body = get_line(part.selectedDisplayText) or get_line(part.selectedID)
    return WaCard(kind=K.TEMPLATE_ANSWER, body=body, context=get_context(part, scene))


def decode_form_answer(part: Any, scene: Scene) -> WaCard:
    """A form that was filled in."""
    return WaCard(kind=K.FORM_ANSWER, body=get_text(part.body.text, MAX_TEXT), context=get_context(part, scene))


def decode_order(part: Any, scene: Scene) -> WaCard:
    """An order."""
    count = part.itemCount
    return WaCard(
        kind=K.ORDER,
        title=get_line(part.orderTitle),
        body=get_text(part.message, MAX_TEXT),
        details=(f"{count} items" if count != 1 else "1 item",) if count > 0 else (),
        amount=get_amount(part.totalAmount1000, part.totalCurrencyCode),
        context=get_context(part, scene),
    )


def decode_product(part: Any, scene: Scene) -> WaCard:
    """A product or a catalog."""
    product, catalog = part.product, part.catalog
    return WaCard(
        kind=K.PRODUCT,
        title=get_line(product.title) or get_line(catalog.title),
        body=get_text(product.description, MAX_TEXT)
        or get_text(part.body, MAX_TEXT)
        or get_line(catalog.description),
        footer=get_line(part.footer),
        amount=get_amount(product.salePriceAmount1000 or product.priceAmount1000, product.currencyCode),
        link=get_line(product.URL),
        media=get_picture("imageMessage", product.productImage, scene.source.chat),
        context=get_context(part, scene),
    )
