"""What tlx asks of its libraries beyond their public interface, in one place."""
