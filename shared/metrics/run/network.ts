// Payload between the coordinator and its workers.

import { counter } from "../metric.ts";
import { FLOW_PAYLOADS, FLOW_TRANSPORTS, type Flow, ofRun } from "./source.ts";

export const network = ofRun(
  {
    bytes: counter(
      "plume_wire_bytes_total",
      "Payload in and out of the coordinator. in: results, by whichever way they came. out: vectors pulled from it, and each version written once into shared memory; what reducer processes give out is not in it.",
      {
        direction: ["in", "out"],
        payload: FLOW_PAYLOADS,
        transport: FLOW_TRANSPORTS,
        codec: null,
      },
    ),
    raw: counter("plume_gradient_raw_bytes_total", "What the gradients that came in would be in float32."),
  },
  (m, { spec }) => {
    const codecs = { gradient: spec.training.wireDtype, sample: "uint8", params: "float32", ema: "float32" };
    const count = ({ direction, payload, transport }: Flow, bytes: number) =>
      m.bytes.total(bytes, { direction, payload, transport, codec: codecs[payload] });
    for (const payload of FLOW_PAYLOADS)
      for (const transport of FLOW_TRANSPORTS)
        count({ direction: payload === "gradient" || payload === "sample" ? "in" : "out", payload, transport }, 0);
    return {
      scrape({ facts }) {
        for (const { bytes, ...flow } of facts.flows) count(flow, bytes);
        m.raw.total(facts.gradientRawBytes);
      },
    };
  },
);
