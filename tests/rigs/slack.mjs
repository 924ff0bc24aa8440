// The Slack service of the npm package `emulate`, for tests/slack_emulator.py:
//   node slack.mjs PORT     reads a line, the seed; prints its address; ends when its input does
//
// The package tells nobody of events unless a subscriber is registered, and has no setting for that: its service is
// looked up among its files, and given three routes more, before its own. PUT /tests/subscribers {urls} says who is told
// of events from now on; PUT /tests/socket {url} is what apps.connections.open answers, which it does not know.
import { readFileSync, readdirSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { createEmulator } from 'emulate'

const folder = new URL('.', import.meta.resolve('emulate'))
const isService = (name) => /^dist-.*\.js$/.test(name) && readFileSync(new URL(name, folder), 'utf8').includes('slackPlugin')
const { slackPlugin } = await import(new URL(readdirSync(folder).find(isService), folder))

const register = slackPlugin.register
slackPlugin.register = (app, store, webhooks, ...rest) => {
  let socket = ''
  app.put('/tests/subscribers', async (asked) => {
    webhooks.clear()
    for (const url of (await asked.req.json()).urls) {
      webhooks.register({ url, events: ['*'], active: true, owner: 'slack' })
    }
    return asked.json({})
  })
  app.put('/tests/socket', async (asked) => {
    socket = (await asked.req.json()).url
    return asked.json({})
  })
  app.post('/api/apps.connections.open', (asked) => {
    const mayConnect = (asked.req.header('Authorization') ?? '').startsWith('Bearer xapp-')
    return asked.json(mayConnect ? { ok: true, url: socket } : { ok: false, error: 'not_allowed_token_type' })
  })
  return register.call(slackPlugin, app, store, webhooks, ...rest)
}

const lines = createInterface({ input: process.stdin })
const seed = await new Promise((resolve) => lines.once('line', resolve))
const emulator = await createEmulator({ service: 'slack', port: Number(process.argv[2]), seed: JSON.parse(seed) })
lines.once('close', () => process.exit())
console.log(emulator.url)
