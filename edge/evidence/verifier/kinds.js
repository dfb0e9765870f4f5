// What is told of each kind of session: its first line and last, its claims, its texts, and what it was priced by.

const BY_TARIFF = ["tariff", readTariff], BY_PORT_PRICES = ["port-prices", readPortPrices];
const KINDS = {
  "session-opened": {
    code: () => "session", place: ({ opened }) => ({ connector: opened.connector, meter: opened.begin.meter }),
    named: ({ opened }) => ({ connector: opened.connector }), check: checkBill, unproven: "meter", view: chargeView,
    title: () => "title", ends: "voided", priced: () => BY_TARIFF,
  },
  "filling-opened": {
    code: () => "filling", place: ({ opened }) => ({ pump: opened.pump }), named: ({ opened }) => ({ pump: opened.pump }),
    check: checkFilling, unproven: "pump-meter", view: fillingView, title: () => "title-filling", ends: "not-billed",
    priced: () => ["fuel-prices", readPrices],
  },
  "swap-opened": {
    code: ({ opened }) => opened.kind, place: ({ opened }) => ({ cabinet: opened.cabinet, kind: opened.kind }),
    named: ({ opened }) => ({ cabinet: opened.cabinet }), check: checkSwap, unproven: "pack-meter", view: swapView,
    title: ({ opened }) => `title-${opened.kind}`, ends: "voided", priced: () => ["swap-terms", readTerms],
  },
  "port-opened": {
    code: () => "port", place: (story) => ({ port: portName(story) }), named: (story) => ({ port: portName(story) }),
    check: checkPort, unproven: "board-meter", view: portView, title: () => "title-port", ends: "voided",
    priced: ({ closed }) => (closed?.slices.length ? BY_TARIFF : BY_PORT_PRICES),
  },
  "locker-opened": {
    code: () => "locker", place: (story) => ({ locker: portName(story) }),
    named: (story) => ({ locker: portName(story) }), check: checkLocker, unproven: "locker-content", view: lockerView,
    title: () => "title-locker", ends: "voided", priced: () => BY_PORT_PRICES,
  },
};
const kindOf = (story) => KINDS[story.kind];
