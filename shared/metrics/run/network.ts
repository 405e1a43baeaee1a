// Payload between the coordinator and its workers.

import { counter } from "../metric.ts";
import { FLOW_PAYLOADS, FLOW_TRANSPORTS, ofRun } from "./source.ts";

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
  (m, { spec }) => ({
    scrape({ facts }) {
      const { wireDtype } = spec.training;
      for (const { bytes, payload, ...flow } of facts.flows) {
        const codec = payload === "gradient" ? wireDtype : payload === "sample" ? "uint8" : "float32";
        m.bytes.total(bytes, { ...flow, payload, codec });
      }
      m.raw.total(facts.gradientRawBytes);
    },
  }),
);
