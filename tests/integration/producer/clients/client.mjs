// Node's fetch. Reads the lines that test_clients.py wrote, and prints for each the answer's status and body.
// The CA comes by NODE_EXTRA_CA_CERTS.

import { readFileSync } from "node:fs";

for (const line of readFileSync(process.argv[2], "utf8").trim().split("\n")) {
  const [url, secret, type, file, key, headers] = line.split("\t");
  const answer = await fetch(`${url}?${new URLSearchParams({ key, headers })}`, {
    method: "POST",
    headers: { Authorization: `Bearer ${secret}`, "Content-Type": type },
    body: readFileSync(file),
  });
  console.log(`${answer.status}\t${await answer.text()}`);
}
