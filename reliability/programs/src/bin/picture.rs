//! `picture WIDTH SEED` writes a picture as PNG to standard output, uncompressed: shades, bars and some noise.

use std::io::{self, Write};

fn main() -> io::Result<()> {
    let mut numbers = std::env::args().skip(1).map(|number| number.parse::<u32>());
    let (Some(Ok(width)), Some(Ok(seed))) = (numbers.next(), numbers.next()) else {
        eprintln!("usage: picture WIDTH SEED");
        std::process::exit(2);
    };
    let mut out = io::stdout().lock();
    out.write_all(b"\x89PNG\r\n\x1a\n")?;
    let mut head = Vec::new();
    head.extend(width.to_be_bytes());
    head.extend(width.to_be_bytes());
    // Eight bits for each of red, green and blue.
    head.extend([8, 2, 0, 0, 0]);
    chunk(&mut out, b"IHDR", &head)?;
    chunk(&mut out, b"IDAT", &stored(&pixels(width, seed)))?;
    chunk(&mut out, b"IEND", &[])
}

/// Rows, each after a byte for "not filtered".
fn pixels(width: u32, seed: u32) -> Vec<u8> {
    let mut random = seed.wrapping_mul(0x9e37_79b9) | 1;
    let mut rows = Vec::new();
    for y in 0..width {
        rows.push(0);
        for x in 0..width {
            random ^= random << 13;
            random ^= random >> 17;
            random ^= random << 5;
            let noise = if x / 16 % 5 == 0 { random % 4 } else { 0 };
            rows.extend([
                (x + noise) as u8,
                (x / 8 * y / 8) as u8,
                (y / 32 * 40) as u8,
            ]);
        }
    }
    rows
}

/// zlib's format, without compression.
fn stored(data: &[u8]) -> Vec<u8> {
    let mut out = vec![0x78, 0x01];
    let mut blocks = data.chunks(0xffff).peekable();
    while let Some(block) = blocks.next() {
        let length = block.len() as u16;
        out.push(u8::from(blocks.peek().is_none()));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(block);
    }
    let (mut low, mut high) = (1u32, 0u32);
    for &byte in data {
        low = (low + u32::from(byte)) % 65521;
        high = (high + low) % 65521;
    }
    out.extend((high << 16 | low).to_be_bytes());
    out
}

fn chunk(out: &mut impl Write, kind: &[u8; 4], data: &[u8]) -> io::Result<()> {
    out.write_all(&(data.len() as u32).to_be_bytes())?;
    out.write_all(kind)?;
    out.write_all(data)?;
    let crc = kind.iter().chain(data).fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & 0u32.wrapping_sub(crc & 1))
        })
    });
    out.write_all(&(!crc).to_be_bytes())
}
