// Receipts: what an answer was made from, signed, for its reader to keep. Nothing of it is kept by the page.
import { make } from "/static/nodes.js";

export function receiptLine(receipt) {
  const save = make("button", "plain small", "Save the receipt");
  save.type = "button";
  save.title = "A signed proof of question, answer, model and sources, without their texts. Keep it as confidential as the answer.";
  save.addEventListener("click", () => {
    const address = URL.createObjectURL(new Blob([`${JSON.stringify(receipt, null, 2)}\n`], { type: "application/json" }));
    const link = make("a");
    link.href = address;
    link.download = `pai-receipt-${receipt.event.index}.json`;
    link.click();
    URL.revokeObjectURL(address);
  });
  return make("p", "by receipt", make("span", "", `In the audit log as event ${receipt.event.index} · `), save);
}
