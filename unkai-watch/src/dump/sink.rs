//! A buffer that was there before.

use std::io;

/// Collects small pieces in a buffer of the caller's, for [`finish`](Self::finish) to hand over the last.
pub(super) struct Sink<'a, W> {
    out: &'a mut W,
    buffer: &'a mut [u8],
    filled: usize,
    /// Bytes that the file may still grow by.
    room: u64,
}

impl<'a, W: io::Write> Sink<'a, W> {
    /// Up to `room` bytes in all go to `out`, in pieces of the length of `buffer`.
    pub(super) fn new(out: &'a mut W, buffer: &'a mut [u8], room: u64) -> Self {
        Self {
            out,
            buffer,
            filled: 0,
            room,
        }
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.hand_over()
    }

    fn hand_over(&mut self) -> io::Result<()> {
        let bytes = &self.buffer[..self.filled];
        // The system would not only refuse what is beyond the limit of a file, but kill the process for it.
        self.room = self
            .room
            .checked_sub(bytes.len() as u64)
            .ok_or(io::ErrorKind::FileTooLarge)?;
        self.filled = 0;
        self.out.write_all(bytes)
    }
}

impl<W: io::Write> io::Write for Sink<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.filled == self.buffer.len() {
            self.hand_over()?;
        }
        let free = &mut self.buffer[self.filled..];
        let taken = bytes.len().min(free.len());
        free[..taken].copy_from_slice(&bytes[..taken]);
        self.filled += taken;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.hand_over()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn what_is_put_in_comes_out_in_one_piece_after_the_other() {
        let text: Vec<u8> = (0..=255).cycle().take(1000).collect();
        for buffer_bytes in [1, 7, 1000, 4096] {
            let (mut out, mut buffer) = (Vec::new(), vec![0; buffer_bytes]);
            let mut sink = Sink::new(&mut out, &mut buffer, 1000);
            for piece in text.chunks(13) {
                sink.write_all(piece).expect("a Vec takes it");
            }
            sink.finish().expect("a Vec takes it");
            assert_eq!(out, text);
        }
    }

    #[test]
    fn no_byte_beyond_the_room_is_handed_over() {
        let (mut out, mut buffer) = (Vec::new(), [0; 4]);
        let mut sink = Sink::new(&mut out, &mut buffer, 9);
        let error = sink.write_all(&[1; 100]).expect_err("there is no room");
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(out.len(), 8);
    }
}
