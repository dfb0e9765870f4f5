// Does the box's signed measurement say what the log says? The same of fillings, swaps and ports, as
// protocols/proof/measurement_check.py checks it.

const hashOf = (opened, kind) => { const pin = opened.pins.find((one) => one.kind === kind); return pin && hex(pin.hash); };
const written = (value) => (value === undefined || value === null ? null : String(value));

/** measured: {readings, said} as the log has them; what is null, undefined or "" is not said. null: nothing was. */
async function measurementLine(story, measured, spki) {
  const { closed } = story;
  if (!closed || closed.meter_record === null) return line("open", "measurement");
  try {
    const { fields, page } = await signedFields("FTM", closed.meter_record, spki);
    const said = Object.fromEntries(Object.entries(measured.said).filter(([, part]) => (part ?? "") !== ""));
    const logged = {
      GS: `${story.site}/${story.epoch}`, ID: story.session, ...said, U_AMOUNT_FEN: closed.amount_fen,
      ...(closed.overrun_fen ? { U_OVERRUN_FEN: closed.overrun_fen } : {}),
      V_LOG: `fieldtill/${story.site}/${story.epoch}`, V_SESSION: story.seq,
    };
    const reads = fields.RD.length === measured.readings.length && measured.readings.every((meant, at) =>
      ["RV", "RI", "RU", "ST"].every((key) => written(fields.RD[at][key]) === written(meant[key])));
    const agrees = reads && Object.entries(logged).every(([name, value]) => written(fields[name]) === String(value));
    if (!agrees) throw new Unproven("what the log says");
    const doubt = measured.readings.find((one) => one.ST !== "G");
    return doubt ? line("open", "measurement-doubt", { status: doubt.ST }) : line("proven", "measurement", { page });
  } catch { return line("failed", "measurement"); }
}
