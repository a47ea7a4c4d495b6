// Prints a table of Arrow's IPC format, a JSON array per row: node read_arrow.cjs NODE_MODULES FILE
// Binary values as hexadecimal digits, numbers as texts, times as nanoseconds, null as null.
const { tableFromIPC, TimeUnit, Type } = require(process.argv[2] + "/apache-arrow");
const table = tableFromIPC(require("fs").readFileSync(process.argv[3]));

// A timestamp's value, as the library shows it, is a number of milliseconds; the integers below it are exact.
function reader(vector) {
  if (vector.type.typeId === Type.Timestamp) {
    if (vector.type.unit !== TimeUnit.NANOSECOND || vector.type.timezone !== "UTC") throw new Error("not ns, UTC");
    const chunks = [];
    for (const data of vector.data)
      for (let i = 0; i < data.length; ++i) chunks.push(data.getValid(i) ? String(data.values[i]) : null);
    return (row) => chunks[row];
  }
  return (row) => {
    const value = vector.get(row);
    if (value === null) return null;
    return value instanceof Uint8Array ? Buffer.from(value).toString("hex") : String(value);
  };
}

const names = table.schema.fields.map((field) => field.name);
const readers = names.map((name) => reader(table.getChild(name)));
const lines = [JSON.stringify(names)];
for (let row = 0; row < table.numRows; ++row) lines.push(JSON.stringify(readers.map((read) => read(row))));
process.stdout.write(lines.join("\n") + "\n");
