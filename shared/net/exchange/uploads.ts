/**
 * Bounds of what a device sends to others by unicast at the same time. An upload counts from before
 * its chunk is read until its last byte has left, so that a requester that does not read costs a
 * bounded amount of memory, for a bounded time.
 */

/** Uploads at the same time, over all packages. */
export const uploadsMax = 32;
/** Bytes of these uploads: 8 chunks of the largest size. */
const uploadBytesMax = 8 * 4 * 1_048_576;
/** Uploads to one address. A device has at most four for each package. */
const uploadsOfAddressMax = 8;
/** Time for a whole upload; the client waits as long (client.ts). */
const uploadMsMax = 30_000;
const pieceBytes = 65_536;

type Upload = { readonly address: string; bytes: number; timer: ReturnType<typeof setTimeout> | null };

export class Uploads {
  readonly #running = new Set<Upload>();
  #bytes = 0;

  /** Share of what may run at the same time, 0 to 100. */
  get load(): number {
    return Math.min(
      100,
      Math.round(100 * Math.max(this.#running.size / uploadsMax, this.#bytes / uploadBytesMax)),
    );
  }

  /**
   * Reserves an upload, or returns null if there are too many.
   * @param bytes of the chunk
   */
  begin(address: string, bytes: number): Upload | null {
    if (this.#running.size >= uploadsMax || this.#bytes + bytes > uploadBytesMax) return null;
    let ofAddress = 0;
    for (const upload of this.#running) if (upload.address === address) ofAddress++;
    if (ofAddress >= uploadsOfAddressMax && !isLoopback(address)) return null;
    const upload: Upload = { address, bytes, timer: null };
    this.#running.add(upload);
    this.#bytes += bytes;
    return upload;
  }

  /** Ends the reservation; no effect the second time. */
  end(upload: Upload): void {
    if (upload.timer) clearTimeout(upload.timer);
    if (this.#running.delete(upload)) this.#bytes -= upload.bytes;
  }

  /**
   * Returns a body that ends the reservation when it has left, or was given up.
   * @param onLastPiece called when all but the last 64 KiB were sent
   */
  body(upload: Upload, bytes: Uint8Array, onLastPiece: () => void): ReadableStream<Uint8Array> {
    let at = 0;
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          upload.timer = setTimeout(() => {
            controller.error(new Error("the requester reads too slowly"));
            this.end(upload);
          }, uploadMsMax);
        },
        pull: (controller) => {
          if (at < bytes.length) {
            const piece = bytes.subarray(at, at + pieceBytes);
            at += piece.length;
            if (at === bytes.length) onLastPiece();
            return controller.enqueue(piece);
          }
          controller.close();
          this.end(upload);
        },
        cancel: () => this.end(upload),
      },
      { highWaterMark: 0 },
    );
  }
}

/** Devices of a test or a demo share an address. */
const isLoopback = (address: string): boolean => address.startsWith("127.");
