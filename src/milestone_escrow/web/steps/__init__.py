"""What a wallet is asked, one step at a time, worked out anew each time from what is true.

The page sends what somebody wants and what their wallet has signed so far; the answer is the next
thing to sign or send, or that all is done. A page that is reloaded in the middle asks again.
"""
