// What a phone does for signing in: its camera reads a picture, its authenticator app shows codes.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { prepareZXingModule, readBarcodes } from 'zxing-wasm/reader';

/** How long a code is shown. */
export const STEP_S = 30;

/** What an app shows for a key at a time: RFC 6238. */
export function codeOf(key, atMs = Date.now()) {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...key.replace(/\s/g, '')].map((letter) => letters.indexOf(letter).toString(2).padStart(5, '0')).join('');
  const secret = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(atMs / 1000 / STEP_S)));
  const mac = createHmac('sha1', secret).update(step).digest();
  const at = mac[19] & 15;
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

/** The text of the one QR code in a picture. A light code on dark is none: not every phone reads it. */
export async function scanned(png) {
  // Left alone, the reader would fetch its module from the Internet.
  prepareZXingModule({ overrides: { wasmBinary: reader } });
  const found = await readBarcodes(png, { formats: ['QRCode'], tryInvert: false });
  assert.deepEqual(found.map(({ error }) => error), [''], 'the picture holds one code that can be read');
  return found[0].text;
}

const reader = readFileSync(createRequire(import.meta.url).resolve('zxing-wasm/reader/zxing_reader.wasm'));
