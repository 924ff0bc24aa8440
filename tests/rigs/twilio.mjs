// The Twilio service of the npm package `emulate`, for tests/twilio_emulator.py:
//   node twilio.mjs PORT     reads a line, the seed; prints its address; ends when its input does
import { createInterface } from 'node:readline'
import { createEmulator } from 'emulate'

const lines = createInterface({ input: process.stdin })
const seed = await new Promise((resolve) => lines.once('line', resolve))
const emulator = await createEmulator({ service: 'twilio', port: Number(process.argv[2]), seed: JSON.parse(seed) })
lines.once('close', () => process.exit())
console.log(emulator.url)
