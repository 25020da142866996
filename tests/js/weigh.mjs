// Weighs files as they are, with gzip 9 and with brotli 11: a JSON list on standard output.
// With --keep, the compressed forms stay beside each file as FILE.gz and FILE.br.
import { readFileSync, writeFileSync } from "node:fs";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const words = process.argv.slice(2);
const keep = words.includes("--keep");
const weights = words
  .filter((word) => word !== "--keep")
  .map((file) => {
    const bytes = readFileSync(file);
    const gzip = gzipSync(bytes, { level: 9 });
    const brotli = brotliCompressSync(bytes, {
      params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 22 },
    });
    if (keep) {
      writeFileSync(`${file}.gz`, gzip);
      writeFileSync(`${file}.br`, brotli);
    }
    return { raw: bytes.length, gzip: gzip.length, brotli: brotli.length };
  });
console.log(JSON.stringify(weights));
