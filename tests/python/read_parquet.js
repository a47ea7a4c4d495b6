// Prints a Parquet file as JSON, a row per line, read by arrow-rs and apache-arrow: bytes in hex, numbers as text.
const {readFileSync} = require('fs');
const {readParquet} = require('parquet-wasm/node');
const {tableFromIPC} = require('apache-arrow');

const table = tableFromIPC(readParquet(new Uint8Array(readFileSync(process.argv[2]))).intoIPCStream());
const names = table.schema.fields.map(field => field.name);
const shown = value => value instanceof Uint8Array ? Buffer.from(value).toString('hex') : String(value);
for (const row of table) console.log(JSON.stringify(names.map(name => shown(row[name]))));
