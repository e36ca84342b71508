// Runs one matrix-js-sdk client with its Rust ciphers: requests as JSON lines on stdin, answers and events on stdout.
// Environment: JS_SDK_MODULES (folder with node_modules), CLIENT_URL, CLIENT_USER, CLIENT_DEVICE, CLIENT_TOKEN,
// CLIENT_PASSWORD; CLIENT_SIGNS=1 signs its device.
import { Console } from 'node:console'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

const env = process.env
const load = name => import(pathToFileURL(join(env.JS_SDK_MODULES, 'node_modules/matrix-js-sdk/lib', name)))

// the client counts on what Node.js has from version 22 on
Promise.withResolvers ??= function withResolvers() {
    const made = {}
    made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }))
    return made
}

// stdout is for answers
globalThis.console = new Console(process.stderr)
const [sdk, api, { logger }] = await Promise.all(['index.js', 'crypto-api/index.js', 'logger.js'].map(load))
logger.setLevel(env.CLIENT_LOG_LEVEL ?? 'warn')
const client = sdk.createClient({
    baseUrl: env.CLIENT_URL, userId: env.CLIENT_USER, deviceId: env.CLIENT_DEVICE, accessToken: env.CLIENT_TOKEN,
})
const seen = new Set()

const COMMANDS = {
    open: async ({ bot }) => {
        const content = { algorithm: 'm.megolm.v1.aes-sha2' }
        const state = [{ type: 'm.room.encryption', state_key: '', content }]
        return (await client.createRoom({ is_direct: true, invite: [bot], initial_state: state })).room_id
    },
    send: async ({ room, kind, content }) => (await client.sendEvent(room, kind, content)).event_id,
    trust: ({ strict }) => client.getCrypto().setDeviceIsolationMode(
        strict ? new api.OnlySignedDevicesIsolationMode() : new api.AllDevicesIsolationMode(false)),
    blacklist: ({ on }) => { client.getCrypto().globalBlacklistUnverifiedDevices = on },
    verify: async ({ user }) => {
        const devices = (await client.getCrypto().getUserDeviceInfo([user], true)).get(user)
        await Promise.all([...devices.keys()].map(id => client.getCrypto().setDeviceVerified(user, id, true)))
    },
    redact: async ({ room, event }) => (await client.redactEvent(room, event)).event_id,
    rotate: ({ room }) => client.getCrypto().forceDiscardSession(room),
    knows: ({ room }) => Boolean(client.getRoom(room)?.hasEncryptionStateEvent()),
    signed: async ({ user }) => {
        const devices = (await client.getCrypto().getUserDeviceInfo([user], true)).get(user)
        const ids = [...devices.keys()]
        return Promise.all(ids.map(async id => (await client.getCrypto().getDeviceVerificationStatus(user, id)).signedByOwner))
    },
}

await client.initRustCrypto({ useIndexedDB: false })
client.on('RoomMember.membership', (_, member) => {
    if (member.userId === env.CLIENT_USER && member.membership === 'invite') client.joinRoom(member.roomId)
})
client.on('Room.timeline', tell)
client.on('Event.decrypted', tell)
await client.startClient({ initialSyncLimit: 100 })
await new Promise(done => client.once('sync', done))
if (env.CLIENT_SIGNS) {
    const login = {
        type: 'm.login.password', identifier: { type: 'm.id.user', user: env.CLIENT_USER }, password: env.CLIENT_PASSWORD,
    }
    await client.getCrypto().bootstrapCrossSigning({ authUploadDeviceSigningKeys: make => make(login) })
}
write({ ready: true })
createInterface({ input: process.stdin }).on('line', answer).on('close', () => process.exit(0))

function tell(event) {
    const isSecret = event.getWireType() === 'm.room.encrypted'
    if (isSecret && (event.isBeingDecrypted() || event.shouldAttemptDecryption())) return
    if (event.status || seen.has(event.getId())) return
    if (!event.isDecryptionFailure()) seen.add(event.getId())
    write({
        event: {
            id: event.getId(), room: event.getRoomId(), sender: event.getSender(), kind: event.getType(),
            content: event.getContent(), redacts: event.event.redacts ?? event.getContent().redacts ?? null,
            isSecret, failure: event.isDecryptionFailure() ? event.decryptionFailureReason ?? 'unknown' : null,
        },
    })
}

async function answer(line) {
    const { id, command, ...parameters } = JSON.parse(line)
    try {
        write({ id, result: await COMMANDS[command](parameters) ?? null })
    } catch (error) {
        write({ id, error: `${error?.message ?? error}` })
    }
}

function write(message) {
    process.stdout.write(`${JSON.stringify(message)}\n`)
}
