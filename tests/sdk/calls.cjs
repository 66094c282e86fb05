// Makes calls of Mailgun's client and tells what came of them.
//
//     node calls.cjs FOLDER URL KEY < calls.json
//
// In: [["stats.getDomain", ["example.com", {…}]], …], each a path of the client and its arguments.
// Out: [{"value": …} or {"error": …, "status": …}, …] as JSON.
const { createRequire } = require("node:module");
const [folder, url, key] = process.argv.slice(2);
const from = createRequire(`${folder}/`);
const Mailgun = from("mailgun.js").default ?? from("mailgun.js");
const client = new Mailgun(from("form-data")).client({ username: "api", key, url });
console.warn = () => {}; // deprecations of Mailgun's own service

async function called([path, given]) {
  const names = path.split(".");
  const method = names.pop();
  const owner = names.reduce((object, name) => object[name], client);
  try {
    return { value: await owner[method](...given) };
  } catch (error) {
    return { error: error.details ?? error.message, status: error.status ?? 0 };
  }
}

async function main() {
  const chunks = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  const results = [];
  for (const call of JSON.parse(Buffer.concat(chunks))) results.push(await called(call));
  process.stdout.write(JSON.stringify(results));
}

main();
